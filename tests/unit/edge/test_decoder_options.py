"""What a site sets for a device reaches its decoder; what it cannot set is refused at the start."""

from pathlib import Path

import pytest

from edge_agents.agent import load_kind, make_decoder
from edge_agents.config import ConfigError, DeviceConfig
from edge_agents.device import Occurrence
from edge_agents.devices.card_reader import encode

KEY = "0123456789abcdef0123456789abcdef"


def reader(options: dict[str, str] | None = None, secrets: dict[str, str] | None = None) -> DeviceConfig:
    return DeviceConfig(name="reader", kind="card_reader", options=options or {}, secrets=secrets or {})


def test_a_secret_is_the_content_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "site.key").write_text(f"{KEY}\n")
    device = reader(secrets={"site_key": str(tmp_path / "site.key")})
    card = Occurrence(
        observed_at=5, name="person-identified", details={"source": "card", "session": 1, "number": "A0012345"}
    )
    (identified,) = make_decoder(load_kind(device), device).feed(encode(card), 0)
    assert isinstance(identified, Occurrence)
    assert identified.details["subject"].startswith("p-")


@pytest.mark.parametrize(
    ("device", "words"),
    [
        (reader(options={"colour": "red"}), "reader: .*colour"),
        (reader(options={"site_key": "short"}), "at least 32"),
        (reader(secrets={"site_key": "/nowhere/site.key"}), "No such file"),
        (DeviceConfig(name="gps", kind="gnss", options={"datum": "mars"}), "gps: datum 'mars': expected one of wgs-84"),
        (DeviceConfig(name="poc", kind="poc_analyser", options={"utc_offset": "8"}), "expected .HHMM"),
    ],
    ids=repr,
)
def test_what_cannot_be_set_is_an_error_of_the_profile(device: DeviceConfig, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make_decoder(load_kind(device), device)
