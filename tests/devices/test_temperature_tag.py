"""Broadcasting thermometers: what conformance does not cover, and every public vector of the formats that are read."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agents.device import FrameError, FrameReason, Numeric, Occurrence, Reading
from edge_agents.devices import _adverts
from edge_agents.devices._adverts import Report, ad
from edge_agents.devices.temperature_tag import BATTERY_LOW, PROBES, Decoder, encode

AT = 1_790_000_000_000_000
SECOND = 1_000_000


def _numeric(probes: list[float], humidity: float | None, battery: int | None, rssi: int | None) -> Numeric:
    values: dict[str, float | None] = dict(zip(PROBES, probes, strict=False))
    values |= {} if humidity is None else {"humidity": humidity}
    values |= {} if battery is None else {"battery": battery}
    low = battery is not None and battery <= BATTERY_LOW
    return Numeric(
        observed_at=1_234_567,
        values=values if rssi is None else values | {"rssi": rssi},
        conditions=frozenset({"battery-low"} if low else ()),
    )


def hundredths(low: int, high: int) -> st.SearchStrategy[float]:
    return st.integers(low, high).map(lambda steps: round(steps * 0.01, 3))


READINGS = st.builds(
    _numeric,
    st.lists(hundredths(-10_000, 10_000), min_size=1, max_size=3),
    st.none() | hundredths(0, 10_000),
    st.none() | st.integers(0, 100),
    st.none() | st.integers(-127, 20),
)


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


def frame(*parts: bytes, rssi: int = -60) -> bytes:
    return _adverts.write_report(Report("C0:00:00:00:00:01", b"".join(parts), rssi))


def maker(company: int, text: str) -> bytes:
    return ad(0xFF, company.to_bytes(2, "little") + bytes.fromhex(text))


def bthome(text: str) -> bytes:
    return frame(ad(0x16, bytes.fromhex("d2fc" + text)))


def numbers(items: list[Reading | FrameError]) -> list[dict[str, float | None]]:
    return [item.values for item in items if isinstance(item, Numeric)]


def test_the_same_again_within_five_seconds_is_one_measurement() -> None:
    decoder = Decoder()
    same = bthome("4002ca09")
    counts = [len(decoder.feed(same, AT + n * SECOND)) for n in range(11)]
    assert [n for n, count in enumerate(counts) if count] == [0, 5, 10]
    assert len(decoder.feed(bthome("4002cb09"), AT + 10 * SECOND + 1)) == 1, "another value is another measurement"


def test_the_name_may_come_in_a_report_of_its_own() -> None:
    values = frame(maker(0x0001, "0101 03cb01 64"))
    decoder = Decoder()
    assert decoder.feed(values, AT) == []
    assert decoder.feed(frame(ad(0x09, b"GVH5102_CB9B")), AT) == []
    assert numbers(decoder.feed(values, AT)) == [
        {"cargo-temperature-1": 24.8, "humidity": 57.7, "battery": 100, "rssi": -60}
    ]


def test_the_battery_is_low_until_it_is_clearly_better() -> None:
    decoder = Decoder()
    said = []
    for battery in (11, 10, 15, 16):
        (reading,) = decoder.feed(bthome(f"4001{battery:02x}02ca09"), AT)
        assert isinstance(reading, Numeric)
        said.append(sorted(reading.conditions or ()))
    assert said == [[], ["battery-low"], ["battery-low"], []]


def test_a_condition_holds_while_a_frame_says_nothing_about_it() -> None:
    decoder = Decoder()
    broken = frame(maker(0xEC88, "004a00280500"))
    silent_about_it = bthome("40034f13")
    for data in (broken, silent_about_it):
        (reading,) = decoder.feed(data, AT)
        assert isinstance(reading, Numeric)
        assert reading.conditions == frozenset({"probe-fault/1", "battery-low"})


def test_an_object_nobody_knows_ends_the_list() -> None:
    assert numbers(Decoder().feed(bthome("4002ca09ee0102"), AT)) == [{"cargo-temperature-1": 25.06, "rssi": -60}]


def test_a_text_is_stepped_over_by_its_length() -> None:
    assert numbers(Decoder().feed(bthome("40530248692eff"), AT)) == [{"humidity": 255.0, "rssi": -60}]


@pytest.mark.parametrize("text", ["4002ca", "405305486900"[:-2], "4053", "4050010203", ""])
def test_an_object_that_runs_over_the_end_is_refused(text: str) -> None:
    (error,) = Decoder().feed(bthome(text), AT)
    assert isinstance(error, FrameError)
    assert error.reason is FrameReason.LENGTH


@pytest.mark.parametrize(
    "reading",
    [
        Numeric(observed_at=0, values={"heart-rate": 60.0}),
        Numeric(observed_at=0, values={"cargo-temperature-1": 400.0}),
        Occurrence(observed_at=0, name="boarded"),
    ],
)
def test_what_no_tag_measures_is_not_sent(reading: Reading) -> None:
    with pytest.raises(ValueError, match=r"cannot say|BTHome"):
        encode(reading)


@given(
    company=st.sampled_from([0xEC88, 0x0001, 0x004C, 0x08C8]),
    service=st.sampled_from([0xFCD2, 0xFE95, 0x181A]),
    name=st.sampled_from(["sps", "GVH5105_7336", "x"]),
    data=st.binary(max_size=30),
)
@settings(max_examples=400, deadline=None)
def test_whatever_a_tag_says_is_read_or_refused_with_a_reason(
    company: int, service: int, name: str, data: bytes
) -> None:
    parts = [ad(0x09, name.encode()), ad(0xFF, company.to_bytes(2, "little") + data)]
    for extra in (parts, [ad(0x16, service.to_bytes(2, "little") + data)]):
        for item in Decoder().feed(frame(*extra), AT):
            assert isinstance(item, Numeric) or item.reason in FrameReason  # type: ignore[union-attr]


# ---- every public vector of the formats that are read
GOVEE = {"H5052", "H5075", "H5105", "H5108", "H5110", "H5177"}
INKBIRD = {"test_sps_th2", "test_sps_th2_dupe_updates"}  # the other IBS-TH case is not the advertisement's own bytes
NAMES = {"temperature": PROBES[0], "humidity": "humidity", "battery": "battery", "voltage": "battery-voltage"}
PAIRS = {f"temperature_{n}": probe for n, probe in enumerate(PROBES, 1)} | {"humidity_1": "humidity"}
MAINS = 100.0  # V; object 4A, which no battery has


def is_ours(row: dict[str, Any]) -> bool:
    family, _, case = row["case"].partition(":")
    if family == "govee":
        return row["device"]["model"] in GOVEE
    return family in {"bthome2", "xiaomi"} or (family == "inkbird" and case in INKBIRD)


def advertised(row: dict[str, Any]) -> bytes:
    """The capture as a report, in the order bleak gives; service data of other formats first, as captured."""
    parts = [ad(0x09, row["name"].encode())] if row["name"] else []
    parts += [maker(company, text) for company, text in row["manufacturer_data"]]
    for uuid, text in row["service_data"].items():
        parts.append(ad(0x16, (UUID(uuid).int >> 96).to_bytes(2, "little") + bytes.fromhex(text)))
    return frame(*parts, rssi=-60 if row["rssi"] is None else row["rssi"])


# values the captures hold and the collected expectations leave out
NOT_STATED = {
    "bthome2:test_bthome_triple_temperature_double_humidity_battery": ["battery"],
    "bthome2:test_bthome_double_voltage_different_object_id": ["battery"],
    "bthome2:test_bthome_shelly_button": ["battery"],
}


@pytest.mark.data
def test_every_vector_of_our_formats_means_what_its_makers_say(recordings: Path) -> None:
    rows = [row for row in json.loads((recordings / "ble-adv" / "sensor_adv.json").read_text()) if is_ours(row)]
    read = encrypted = 0
    for row in rows:
        items = Decoder().feed(advertised(row), AT)
        expected = wanted(row)
        if row["bindkey"]:
            assert [getattr(item, "reason", item) for item in items] == ["encrypted"], row["case"]
            encrypted += 1
        elif expected:
            assert len(items) == 1, row["case"]
            got = items[0]
            assert isinstance(got, Numeric), row["case"]
            assert {name: got.values[name] for name in expected} == expected, row["case"]
            assert got.values.keys() - expected.keys() <= {"rssi", *NOT_STATED.get(row["case"], ())}, row["case"]
            read += 1
        else:
            assert items == [], f"{row['case']}: nothing a thermometer says"
    assert (read, encrypted) == (29, 44)


def wanted(row: dict[str, Any]) -> dict[str, float | None]:
    """What the upstream test expects, in our names; "error" is a value that cannot be measured."""
    found: dict[str, float | None] = {}
    for key, value in row["expected"].items():
        if name := (NAMES | PAIRS | {"voltage_2": "battery-voltage"}).get(key):
            found[name] = None if value == "error" else value
    if (found.get("battery-voltage") or 0) > MAINS:
        del found["battery-voltage"]
    if found.get(PROBES[0], 0) is None:
        found.pop("humidity", None)
    return found
