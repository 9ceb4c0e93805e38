"""Who may connect to the broker, and what the broker then lets it do."""

import base64
import json
import os
from types import SimpleNamespace
from typing import Any

import nkeys
import pytest

from gateway.adapters.auth_callout import AuthCallout, Credential, hash_token
from tests.unit.gateway.builders import NOW, UNIT

SEED = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_ACCOUNT).decode()
SERVER = nkeys.from_seed(nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_SERVER))


def part(jwt: str, which: int) -> dict[str, Any]:
    body = jwt.split(".")[which]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


async def ask(unit: str, token: str, client_id: str) -> tuple[dict[str, Any], list[bool]]:
    """What the callout answers the broker, and the refusals it reported."""
    denied: list[bool] = []
    callout = AuthCallout(
        SEED, {"amb-001": Credential(UNIT, hash_token("right"))}, lambda: NOW, lambda: denied.append(True)
    )
    request = {
        "nats": {
            "user_nkey": "UUSER",
            "server_id": {"id": "NSERVER"},
            "connect_opts": {"user": unit, "pass": token},
            "client_info": {"mqtt_id": client_id, "host": "127.0.0.1"},
        }
    }
    answers: list[bytes] = []

    async def respond(data: bytes) -> None:
        answers.append(data)

    body = base64.urlsafe_b64encode(json.dumps(request).encode()).rstrip(b"=")
    await callout._answer(SimpleNamespace(data=b"h." + body + b".s", respond=respond))  # type: ignore[arg-type]
    return part(answers[0].decode(), 1), denied


async def test_a_unit_may_use_its_own_topics_and_nothing_else() -> None:
    answer, denied = await ask("amb-001", "right", "amb-001")
    user = part(answer["nats"]["jwt"], 1)
    own = "lm.v1.linyi.ambulance.amb-001"
    assert sorted(user["nats"]["pub"]["allow"]) == sorted(
        f"{own}.{channel}" for channel in ("obs", "wave", "event", "hello", "reply")
    )
    assert sorted(user["nats"]["sub"]["allow"]) == [f"{own}.ack", f"{own}.cmd"]
    assert user["nats"]["allowed_connection_types"] == ["MQTT"]
    assert denied == []


async def test_the_answer_is_signed_by_the_account() -> None:
    answer, _ = await ask("amb-001", "right", "amb-001")
    head, body, signature = answer["nats"]["jwt"].split(".")
    key = nkeys.from_seed(SEED.encode())
    assert key.verify(f"{head}.{body}".encode(), base64.urlsafe_b64decode(signature + "=="))
    assert answer["iss"] == key.public_key.decode()
    assert answer["aud"] == "NSERVER"


@pytest.mark.parametrize(
    ("unit", "token", "client_id"),
    [
        ("amb-001", "wrong", "amb-001"),
        ("amb-001", "", "amb-001"),
        ("amb-002", "right", "amb-002"),
        ("", "", ""),
        ("amb-001", "right", "amb-002"),  # a valid unit must not throw another one off by taking its client id
        ("amb-001", "right", ""),
    ],
)
async def test_everybody_else_is_refused_and_reported(unit: str, token: str, client_id: str) -> None:
    answer, denied = await ask(unit, token, client_id)
    assert "jwt" not in answer["nats"]
    assert answer["nats"]["error"]
    assert denied == [True]


async def test_a_unit_registered_this_moment_is_welcome() -> None:
    callout = AuthCallout(SEED, {}, lambda: NOW, lambda: None)

    async def refresh() -> None:
        callout.credentials["amb-001"] = Credential(UNIT, hash_token("right"))

    callout.refresh = refresh
    await callout._look_again()
    assert callout._judge("amb-001", "right", "amb-001") is None
    callout.credentials.clear()
    await callout._look_again()
    assert callout.credentials == {}, "not asked again for every stranger"
