"""Errors of configuration files name the line and what was expected there."""

from pathlib import Path

import pytest

from edge_agents.config import Profile
from edge_agents.toml_file import TomlError, parse, read

GOOD = """name = "kiosk"
kind = "health-kiosk"

[[device]]
name = "cuff"
kind = "blood_pressure_monitor"

[[device]]
name = "scale"
kind = "weight_scale"
silent_after = 10.0

[outbox]
max_megabytes = 64
"""


def refuse(text: str) -> str:
    with pytest.raises(TomlError) as caught:
        parse(text, Profile, "kiosk.toml")
    return str(caught.value)


def test_a_good_file_becomes_a_value() -> None:
    assert [device.name for device in parse(GOOD, Profile, "kiosk.toml").device] == ["cuff", "scale"]


@pytest.mark.parametrize(
    ("old", "new", "line", "expected"),
    [
        ('kind = "health-kiosk"', 'kind = "submarine"', 2, "Invalid enum value 'submarine'"),
        ("silent_after = 10.0", 'silent_after = "long"', 11, "Expected `float`, got `str`"),
        ("silent_after = 10.0", "silent_after = -1.0", 11, ">= 0"),
        ("silent_after = 10.0", "silent_aftr = 10.0", 11, "unknown field `silent_aftr`"),
        ("max_megabytes = 64", "max_megabytes = 0", 14, ">= 1"),
        ('name = "scale"\n', "", 8, "missing required field `name`"),
        ('name = "kiosk"\n', "", 1, "missing required field `name`"),
        ('name = "scale"', 'name = "The Scale"', 9, "regex"),
        ('name = "scale"', "name = scale", 9, "not TOML"),
    ],
)
def test_the_line_is_named(old: str, new: str, line: int, expected: str) -> None:
    message = refuse(GOOD.replace(old, new, 1))
    assert message.startswith(f"kiosk.toml:{line}: ")
    assert expected in message


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TomlError, match=r"nothing\.toml"):
        read(tmp_path / "nothing.toml", Profile)
