"""The bridge's TOML file: what it may say, and that an error names file, key or line, and what was expected."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bridge.codec import CodecError, Origin
from gateway.bridge.config import ConfigError, load_config, translations
from gateway.bridge.topic_map import TopicPattern
from gateway.contract.topic import UnitAddress, UnitKind

ROOT = Path(__file__).parents[3]
GOOD = """
name = "bridge-1"
[broker]
host = "mqtt.ward.example"
port = 8883
share = "lastmile"
tls = true
username = "lastmile"
password_file = "password"
[memory]
keep_hours = 1
[[map]]
topic = "wards/{unit}/{device}/+"
site = "site-a"
kind = "homecare-bed"
units = { "Bed_07" = "bed-7" }
[map.codec]
name = "flat-json"
timestamp = { key = "ts", unit = "ms" }
quantities = { hr = "heart-rate" }
"""


def write(folder: Path, text: str) -> Path:
    (folder / "password").write_text("secret\n")
    path = folder / "bridge.toml"
    path.write_text(text)
    return path


def test_topics_name_units(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD))
    [row] = translations(config)
    bed = UnitAddress("site-a", UnitKind.HOMECARE_BED, "bed-7")
    assert row.route.pattern.filter == "wards/+/+/+"
    assert row.route.origin("wards/Bed_07/pump/x") == Origin(bed, "pump")
    assert row.route.origin("wards/bed-7/pump") is None
    assert row.route.origin("ward/bed-7/pump/x") is None
    assert config.broker.password_file == str(tmp_path / "password")
    with pytest.raises(CodecError, match="bad-id"):
        row.route.origin("wards/Bed_08/pump/x")


def test_one_file_serves_every_bridge_of_a_group(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, GOOD), "bridge-2").name == "bridge-2"


@given(st.text())
def test_any_topic_is_matched_or_not(topic: str) -> None:
    found = TopicPattern("a/{unit}/+/{device}").match(topic)
    assert (found is not None) == (len(levels := topic.split("/")) == 4 and levels[0] == "a")
    assert found is None or found == {"unit": levels[1], "device": levels[3]}


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("port = 8883", 'port = "x"', "broker.port"),
        ("port = 8883", "port = 0", "broker.port"),
        ("port = 8883", "port = ", "line 5"),
        ('host = "mqtt.ward.example"', "", "host"),
        ('name = "bridge-1"', 'name = "Bridge 1"', "name: expected 1 to 48"),
        ('share = "lastmile"', 'share = "a/b"', "broker.share: expected a name"),
        ('share = "lastmile"', 'share = "g"\nprotocol = "3.1.1"', "broker.share: expected protocol"),
        ('share = "lastmile"', 'colour = "g"', "colour"),
        ('username = "lastmile"', "", "broker.username: expected"),
        ('"password"', '"absent"', "broker.password_file: expected a file"),
        ("tls = true", 'ca_file = "password"', "broker.tls: expected true"),
        ("tls = true", 'tls = true\ncert_file = "password"', "broker.key_file: expected"),
        ("keep_hours = 1", "keep_hours = 0", "memory.keep_hours"),
        ("{unit}", "{bed}", "map[0].topic: expected {site}, {unit} or {device}"),
        ("{unit}", "#", "map[0].topic: expected whole levels"),
        ("{device}", "{unit}", "map[0].topic: expected each of"),
        ("{unit}", "+", "map[0].unit: expected an id"),
        ('site = "site-a"', 'site = "site-a"\ndevice = "m"', "map[0].device: expected nothing"),
        ('"site-a"', '"Site A"', "map[0].site: expected an id"),
        ('"homecare-bed"', '"submarine"', "map[0].kind"),
        ('"bed-7"', '"Bed 7"', "map[0].units.Bed_07: expected an id"),
        ('"flat-json"', '"sparkplug"', "expected one of flat-json"),
        ('"heart-rate"', '"horoscope"', "map[0].codec.quantities: expected names"),
        ('{ hr = "heart-rate" }', "{}", "map[0].codec.quantities: expected at least one"),
        ('hr = "heart-rate"', 'hr = "heart-rate", p = "heart-rate"', "each quantity once"),
        ('name = "flat-json"', 'name = "flat-json"\ndevice_key = "d"', "map[0].codec.device_key: expected nothing"),
        ('unit = "ms"', 'unit = "h"', "map[0].codec.timestamp.unit"),
    ],
)
def test_an_error_names_file_and_key_and_what_was_expected(tmp_path: Path, old: str, new: str, named: str) -> None:
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert named in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: No such file"):
        load_config(tmp_path / "none.toml")


def test_the_example_in_the_documentation_is_valid(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/bridge.md").read_text(), re.DOTALL)
    (tmp_path / "bridge.password").write_text("secret\n")
    (tmp_path / "ward-ca.pem").write_text("")
    assert translations(load_config(write(tmp_path, blocks[0])))
