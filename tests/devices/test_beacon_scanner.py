"""Beacons: what conformance does not cover: windows, telemetry, who comes and goes, and real RSSI data."""

import csv
import json
import random
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agents.device import FrameError, FrameReason, Occurrence, Reading
from edge_agents.devices import _adverts
from edge_agents.devices._adverts import Report, Telemetry
from edge_agents.devices._presence import MAX_TRACKS
from edge_agents.devices.beacon_scanner import MAX_ADDRESSES, MAX_BEACONS, SIGHTINGS, TELEMETRY, Decoder, encode
from tests.devices.beacon_site import FIXED, OTHER, SECOND, START, TAG, Site, report, telemetry

FLUSH = (b"",)

POWERS = st.integers(-100, 20)
IDS = st.one_of(
    st.tuples(st.just("ibeacon"), st.builds("{}:{}:{}".format, st.uuids(), *[st.integers(0, 65535)] * 2)),
    st.tuples(st.just("altbeacon"), st.binary(min_size=20, max_size=20).map(bytes.hex)),
    st.tuples(
        st.just("eddystone-uid"),
        st.builds("{}:{}".format, *(st.binary(min_size=n, max_size=n).map(bytes.hex) for n in (10, 6))),
    ),
)


def one(kind_and_id: tuple[str, str], rssi: int | None, power: int) -> dict[str, Any]:
    kind, identity = kind_and_id
    return {"id": identity, "kind": kind, "rssi": rssi, "rssi_max": rssi, "n": 1, "power_1m": power}


READINGS = st.builds(
    lambda sighting: Occurrence(
        observed_at=SECOND, name=SIGHTINGS, details={"window_ms": 1000, "sightings": [sighting]}
    ),
    st.builds(one, IDS, st.none() | st.integers(-127, 20), POWERS),
)


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


# ---- windows
def test_a_window_holds_the_median_the_strongest_and_the_number() -> None:
    site = Site()
    site.second(*(report(TAG, rssi) for rssi in (-70, -90, -72)), report(FIXED, -60), report(TAG, None))
    site.second()
    (batch,) = site.named(SIGHTINGS)
    assert batch.observed_at == START * SECOND
    assert batch.details == {
        "window_ms": 1000,
        "sightings": [
            one(("ibeacon", TAG.id), -72, -59) | {"rssi_max": -70, "n": 4},
            one(("eddystone-uid", FIXED.id), -60, -59),
        ],
    }


def test_the_last_window_ends_by_time_alone() -> None:
    decoder = Decoder()
    assert decoder.feed(report(TAG, -60), 10_200_000) == []
    assert decoder.tick(11_400_000) == [], "reports may still be on their way"
    assert [r.name for r in decoder.tick(11_500_000) if isinstance(r, Occurrence)] == [SIGHTINGS]
    assert decoder.tick(12_500_000) == []


def test_windows_begin_at_whole_seconds_also_when_the_clock_is_set_back() -> None:
    decoder = Decoder()
    items = [decoder.feed(report(TAG, -60), at) for at in (10_900_000, 11_100_000, 5_300_000, 5_400_000)] + [
        decoder.feed(b"", 0)
    ]
    batches = [item for said in items for item in said if isinstance(item, Occurrence) and item.name == SIGHTINGS]
    assert [(b.observed_at, b.details["sightings"][0]["n"]) for b in batches] == [
        (10 * SECOND, 1), (11 * SECOND, 1), (5 * SECOND, 2),
    ]  # fmt: skip


def test_what_is_no_beacon_is_counted() -> None:
    site = Site()
    url = _adverts.ad(_adverts.SERVICE_DATA, b"\xaa\xfe\x10\xe7\x02google\x00")
    phone = _adverts.ad(_adverts.MAKER_DATA, b"\x4c\x00\x10\x05\x01\x02\x03\x04\x05")
    for data in (url, phone):
        site.second(_adverts.write_report(Report("C0:00:00:00:00:01", data, -50)))
    assert site.named(SIGHTINGS) == []
    site.second(report(TAG, -60))
    site.second()
    (batch,) = site.named(SIGHTINGS)
    assert batch.details["others"] == 2


def test_a_flood_of_invented_beacons_is_bounded_and_does_not_push_out_known_ones() -> None:
    site = Site()
    site.seconds(5, report(TAG, -60))
    rng = random.Random(1)
    for _ in range(5):
        crowd = [report(OTHER._replace(id=rng.randbytes(20).hex()), -60) for _ in range(MAX_BEACONS + 50)]
        site.second(report(TAG, -60), *crowd)
    site.second()
    batches = site.named(SIGHTINGS)[5:]
    assert [(len(b.details["sightings"]), b.details["dropped"]) for b in batches] == [(MAX_BEACONS, 51)] * 5
    assert len(site.decoder._presence._tracks) <= MAX_TRACKS
    assert len(site.decoder._owners) <= MAX_ADDRESSES
    site.seconds(11)
    assert site.events() == [("tag-seen", TAG.id), ("tag-lost", TAG.id)]


# ---- telemetry
def test_telemetry_belongs_to_the_beacon_of_its_address_and_is_said_once_a_minute() -> None:
    site = Site()
    for count in range(1, 66):
        site.second(report(FIXED, -60), telemetry(FIXED, 3000, count), report(TAG, -50))
    said = site.named(TELEMETRY)
    assert [(t.details["id"], t.details["adv_count"]) for t in said] == [(FIXED.id, 1), (FIXED.id, 61)]
    site.second(telemetry(FIXED, 3000, 1))
    assert site.named(TELEMETRY)[2].details["adv_count"] == 1, "it was switched off and on"


def test_an_address_that_somebody_else_took_over_mixes_nobody_up() -> None:
    site = Site()
    address = "C0:00:00:00:00:01"
    site.second(report(FIXED, -60, address), telemetry(FIXED, 3000, 5, address))
    site.second(report(OTHER, -60, address), telemetry(OTHER, 2900, 6, address))
    assert [t.details["id"] for t in site.named(TELEMETRY)] == [FIXED.id, OTHER.id]


def test_beacons_that_change_their_addresses_stay_who_they_are() -> None:
    """Random addresses that rotate, one of them into one that another beacon had a minute before."""
    site = Site()
    for count in range(1, 300):
        for who, turn in ((FIXED, count // 60), (FIXED._replace(id=FIXED.id[:-1] + "b"), count // 60 + 2)):
            address = f"C0:00:00:00:00:{turn:02X}"
            site.second(report(who, -60, address), telemetry(who, 3000 + int(who.id[-1], 16), count, address))
    assert {(t.details["id"], t.details["battery_mv"]) for t in site.named(TELEMETRY)} == {
        (FIXED.id, 3010), (FIXED.id[:-1] + "b", 3011),
    }  # fmt: skip
    assert "tag-lost" not in {event for event, _ in site.events()}


def test_telemetry_of_an_address_long_gone_is_nobodys() -> None:
    site = Site()
    site.second(report(FIXED, -60))
    site.seconds(61, report(TAG, -60))
    site.second(telemetry(FIXED, 3000))
    assert site.named(TELEMETRY) == []
    site.second(report(FIXED, -60))
    assert [t.details["id"] for t in site.named(TELEMETRY)] == [FIXED.id], "until the beacon is heard again"


def test_what_a_beacon_cannot_measure_is_null() -> None:
    site = Site()
    data = _adverts.write_telemetry(Telemetry(None, None, 1, 0.1))
    site.second(report(FIXED, -60), _adverts.write_report(Report(_adverts.address_of(FIXED.id), data, -60)))
    assert site.named(TELEMETRY)[0].details == {
        "id": FIXED.id, "battery_mv": None, "temperature": None, "adv_count": 1, "uptime_s": 0.1,
    }  # fmt: skip
    assert site.conditions == []


def test_a_low_battery_is_a_condition_of_that_beacon_until_it_is_clearly_better() -> None:
    site = Site()
    for count, battery in enumerate((2450, 2399, 2450, None, 2499, 2500, 2450)):
        site.second(report(FIXED, -60), telemetry(FIXED, battery, count))
    assert site.conditions == [{f"battery-low/{FIXED.id}"}, set()]
    assert [t.details["battery_mv"] for t in site.named(TELEMETRY)] == [2450, 2399], "what changes the state is said"


# ---- bytes
def test_the_aggregate_of_several_beacons_is_no_frame() -> None:
    both = [one(("ibeacon", TAG.id), -60, -59), one(("eddystone-uid", FIXED.id), -60, -59)]
    with pytest.raises(ValueError, match="does not say"):
        encode(Occurrence(observed_at=0, name=SIGHTINGS, details={"window_ms": 1000, "sightings": both}))


@given(data=st.binary(max_size=60), rssi=st.integers(-127, 20))
@settings(max_examples=300, deadline=None)
def test_whatever_stands_in_an_advertisement_is_read_or_refused_with_a_reason(data: bytes, rssi: int) -> None:
    for item in Decoder().feed(_adverts.write_report(Report("C0:00:00:00:00:01", data, rssi)), 0):
        assert isinstance(item, FrameError)
        assert item.reason in FrameReason


@given(
    parts=st.lists(
        st.builds(
            _adverts.ad,
            st.sampled_from([0x01, 0x09, 0x16, 0xFF]),
            st.builds(
                bytes.__add__,
                st.sampled_from([b"\xaa\xfe\x00", b"\xaa\xfe\x20\x00", b"\x4c\x00\x02\x15", b"\x18\x01\xbe\xac", b""]),
                st.binary(max_size=25),
            ),
        ),
        max_size=4,
    )
)
@settings(max_examples=300, deadline=None)
def test_frames_that_begin_well_are_read_or_refused_with_a_reason(parts: list[bytes]) -> None:
    decoder = Decoder()
    for item in decoder.feed(_adverts.write_report(Report("C0:00:00:00:00:01", b"".join(parts), -60)), 0):
        assert not isinstance(item, FrameError) or item.reason in FrameReason
    decoder.feed(b"", 0)


# ---- real data
PARSED = {
    "testParsesBeaconMissingDataField": ("2f234454cf6d4a0fadf2f4911ba9ffa600010002", -59),
    "testRecognizeBeaconWithFormatSpecifyingManufacturer": ("2f234454cf6d4a0fadf2f4911ba9ffa600010002", -59),
    "testReEncodesBeacon": ("2f234454cf6d4a0fadf2f4911ba9ffa600010002", -59),
    "testParseProblematicBeaconFromIssue229": ("7777772e626c756b692e636f6d000100010001ab", -86),
    "testDetectsDaveMHardwareBeacon": ("2f234454cf6d4a0fadf2f4911ba9ffa600050003", -66),
}
# not one of the four kinds, cut short as stated, or a URL
NOTHING = {
    "testAllowsAccessToParserIdentifier": None,
    "testParseGattIdentifierThatRunsOverPduLength": None,
    "testLongUrlBeaconIdentifier": None,
    "testCanParseLocationBeacon": FrameReason.LENGTH,
    "testCanParseLongDataTypeOfDifferentSize": FrameReason.LENGTH,
    "testParseWrongFormatReturnsNothing": FrameReason.LENGTH,
}


@pytest.mark.data
def test_the_public_vectors_mean_what_their_tests_say(recordings: Path) -> None:
    rows = json.loads((recordings / "ble-adv" / "beacon_adv.json").read_text())
    assert {row["case"] for row in rows} == PARSED.keys() | NOTHING.keys()
    for row in rows:
        for text in row["adv_hex"]:
            frame = _adverts.write_report(Report("C0:00:00:00:00:01", bytes.fromhex(text), -55))
            decoder = Decoder()
            items = decoder.feed(frame, 0) + decoder.feed(b"", 0)
            if row["case"] in PARSED:
                (batch,) = items
                assert isinstance(batch, Occurrence)
                (found,) = batch.details["sightings"]
                identity, power = PARSED[row["case"]]
                assert (found["id"], found["kind"], found["rssi"]) == (identity, "altbeacon", -55), row["case"]
                assert found["power_1m"] == power
            else:
                assert [getattr(item, "reason", item) for item in items] == (
                    [reason] if (reason := NOTHING[row["case"]]) else []
                ), row["case"]


@pytest.mark.data
@pytest.mark.parametrize("name", ["trk_straight_01.mbd", "trk_straight_03.mbd", "trk_rectangular_with_rotation.mbd"])
def test_medians_of_a_real_walk_are_right_at_every_receiver(recordings: Path, name: str) -> None:
    """Every packet of a walk, at twelve receivers, beside medians computed from the file."""
    rows = list(csv.reader((recordings / "ble-rssi" / name).read_text().splitlines()))
    expected: dict[tuple[str, int], list[int]] = {}
    decoders: dict[str, Decoder] = {}
    got: dict[tuple[str, int], dict[str, Any]] = {}
    for time, receiver, _beacon, rssi, *_place in sorted(rows, key=lambda row: float(row[0])):
        at = round(float(time) * SECOND)
        expected.setdefault((receiver, at // SECOND * SECOND), []).append(int(rssi))
        said = decoders.setdefault(receiver, Decoder()).feed(report(TAG, int(rssi)), at)
        got |= _batches(receiver, said)
    for receiver, decoder in decoders.items():
        got |= _batches(receiver, decoder.feed(b"", 0))
    assert len(decoders) == 12
    assert got.keys() == expected.keys()
    for key, values in expected.items():
        shown = [got[key][name] for name in ("rssi", "rssi_max", "n")]
        assert shown == [median(values), max(values), len(values)]


def _batches(receiver: str, said: list[Reading] | list[Reading | FrameError]) -> dict[tuple[str, int], dict[str, Any]]:
    assert not [item for item in said if isinstance(item, FrameError)]
    return {
        (receiver, item.observed_at): item.details["sightings"][0]
        for item in said
        if isinstance(item, Occurrence) and item.name == SIGHTINGS
    }


@pytest.mark.data
def test_a_labelled_walk_among_thirteen_beacons(recordings: Path) -> None:
    """UCI iBeacon data: each row is what a phone heard in one second of 13 fixed beacons; -200 = not heard."""
    rows = list(csv.DictReader((recordings / "ble-rssi" / "uci_ibeacon_labeled.csv").read_text().splitlines()))
    names = [name for name in rows[0] if name.startswith("b3")]
    beacons = {name: TAG._replace(id=TAG.id.replace(":7", f":{name[1:]}")) for name in names}
    decoder, said = Decoder(), Counter[str]()
    for second, row in enumerate(rows):
        heard = {beacons[name]: int(row[name]) for name in names if int(row[name]) > -128}
        items = [item for who, rssi in heard.items() for item in decoder.feed(report(who, rssi), second * SECOND)]
        items += decoder.tick(second * SECOND + 1_500_000)
        told = [item for item in items if isinstance(item, Occurrence) and item.name == SIGHTINGS]
        shown = {each["id"]: each["rssi"] for batch in told for each in batch.details["sightings"]}
        assert shown == {who.id: rssi for who, rssi in heard.items()}
        said.update(item.name for item in items if isinstance(item, Occurrence))
    assert said["tag-seen"] - said["tag-lost"] in range(14)
    assert said["tag-seen"] < len(rows) / 4, "no flicker: far fewer comings than seconds"
