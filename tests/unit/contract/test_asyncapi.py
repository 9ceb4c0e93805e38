"""docs/asyncapi.yaml says what the code does: same topics, same types, same directions; its examples are messages."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import yaml

from gateway.contract.topic import DOWNLINK, UPLINK, Channel, UnitKind, parse_topic
from gateway.contract.wire import decode, encode
from scripts.asyncapi import DOCUMENT, MARKER, PAYLOADS, generated, schemas

API: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text())
EXAMPLES = [
    pytest.param(Channel(name), example["payload"], id=f"{name}-{example['name']}")
    for name, message in API["components"]["messages"].items()
    for example in message["examples"]
]


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def resolve(reference: str) -> Any:
    node: Any = API
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return node


def test_the_schemas_are_those_of_the_types() -> None:
    assert API["components"]["schemas"] == schemas(), "run: python scripts/asyncapi.py"
    assert DOCUMENT.read_text().partition(MARKER)[2] == generated(), "run: python scripts/asyncapi.py"


def test_every_reference_resolves() -> None:
    assert all(resolve(reference) for reference in references(API))


def test_every_channel_of_the_code_is_described_and_no_other() -> None:
    assert set(API["channels"]) == {str(channel) for channel in Channel} == {str(channel) for channel in PAYLOADS}


@pytest.mark.parametrize("channel", Channel)
def test_the_address_is_the_topic_of_the_code(channel: Channel) -> None:
    address = API["channels"][channel]["address"].format(site="site-a", kind="ambulance", unit="amb-001")
    unit, parsed = parse_topic(address)
    assert parsed is channel
    assert unit.topic(channel) == address


@pytest.mark.parametrize("channel", Channel)
def test_the_payload_is_the_type_the_decoder_uses(channel: Channel) -> None:
    (message,) = API["channels"][channel]["messages"].values()
    assert resolve(message["$ref"])["payload"]["$ref"].rpartition("/")[2] == PAYLOADS[channel].__name__


def test_direction_and_quality_of_service() -> None:
    seen = {}
    for operation in API["operations"].values():
        channel = Channel(operation["channel"]["$ref"].rpartition("/")[2])
        seen[channel] = (operation["action"], operation["bindings"]["mqtt"]["qos"])
    assert seen == dict.fromkeys(UPLINK, ("send", 1)) | dict.fromkeys(DOWNLINK, ("receive", 0))


def test_kinds() -> None:
    assert API["components"]["parameters"]["kind"]["enum"] == [str(kind) for kind in UnitKind]


@pytest.mark.parametrize(("channel", "payload"), EXAMPLES)
def test_an_example_is_a_message(channel: Channel, payload: dict[str, Any]) -> None:
    message = msgspec.convert(payload, PAYLOADS[channel], builtin_types=())
    assert decode(channel, encode(message)) == message  # type: ignore[arg-type]  # one of the union, by construction
