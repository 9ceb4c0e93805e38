"""Every mistake in an agent's file or a site's own profile is named with file and line before anything is connected."""

from pathlib import Path

import pytest

from edge_agents.cli import EXIT_CONFIG, run_agent
from edge_agents.config import AgentFile

AGENT = """unit = "kiosk-1"
site = "city"
profile = "kiosk.toml"
broker = "localhost:1883"
token_file = "token"
outbox = "outbox.db"

[link]
cuff = "ble://AA:BB:CC:DD:EE:FF"
"""
PROFILE = """name = "kiosk"
kind = "health-kiosk"

[[device]]
name = "cuff"
kind = "blood_pressure_monitor"

[[device]]
name = "pump"
kind = "infusion_pump"
address = "tcp://localhost:1"
"""


def said(capsys: pytest.CaptureFixture[str], folder: Path, given: AgentFile | None = None) -> str:
    assert run_agent(given or AgentFile(), folder / "agent.toml") == EXIT_CONFIG
    return capsys.readouterr().err.strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "agent.toml").write_text(AGENT)
    (tmp_path / "kiosk.toml").write_text(PROFILE)
    (tmp_path / "token").write_text("secret")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "old", "new", "line", "expected"),
    [
        ("agent", "kiosk-1", "Kiosk 1", 1, "unit 'Kiosk 1': expected an id"),
        ("agent", '"city"', '"City!"', 2, "site 'City!': expected an id"),
        ("agent", "kiosk.toml", "no-such", 3, "profile no-such: expected one of"),
        ("agent", "localhost:1883", "localhost", 4, "broker 'localhost': expected HOST:PORT"),
        ("agent", '"token"', '"no-token"', 5, "token file: "),
        ("agent", "cuff =", "cuf =", 9, "link cuf: expected one of profile kiosk's devices, cuff, pump"),
        ("agent", '"ble://AA:BB:CC:DD:EE:FF"', '"tcp://h:1"', 9, "device cuff: address 'tcp://h:1': expected ble://"),
        ("kiosk", '"health-kiosk"', '"submarine"', 2, "Invalid enum value"),
        ("kiosk", '"infusion_pump"', '"infusion_pum"', 10, "there is no kind 'infusion_pum'"),
        ("kiosk", '"tcp://localhost:1"', '"ble://x"', 11, "device pump: address 'ble://x': expected tcp://"),
        ("kiosk", "address =", 'options = { colour = "red" }\naddress =', 11, "options colour: expected some of"),
    ],
)
def test_the_line_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], file: str, old: str, new: str, line: int, expected: str
) -> None:
    path = folder / f"{file}.toml"
    path.write_text(path.read_text().replace(old, new, 1))
    text = said(capsys, folder)
    assert text.startswith(f"lastmile agent: {path}:{line}: "), text
    assert expected in text


def test_what_the_command_line_says_wrong_has_no_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, folder, AgentFile(unit="A B")).startswith("lastmile agent: unit 'A B': expected an id")
    assert said(capsys, folder, AgentFile(link={"cuff": "tcp://h:1"})).startswith("lastmile agent: device cuff: ")
    assert said(capsys, folder, AgentFile(link={"pump": "ble://x"})).startswith("lastmile agent: device pump: ")
