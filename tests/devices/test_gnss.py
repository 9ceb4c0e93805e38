"""NMEA receiver: joining of sentences, gates, and real receivers' logs against gpsd's own answer."""

import json
import math
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from edge_agents.device import FrameError, FrameReason, Numeric, Occurrence, Reading
from edge_agents.devices.gnss import Decoder, encode

NEW_YEAR = 1_767_225_600_000_000  # 2026-01-01T00:00Z
SECOND = 1_000_000
READINGS = st.builds(
    Numeric,
    observed_at=st.integers(0, 3_100_000_000_000).map(lambda ms: ms * 1000),
    values=st.fixed_dictionaries(
        {
            "latitude": st.floats(-90, 90),
            "longitude": st.floats(-180, 180),
            "speed": st.none() | st.floats(0, 249),
            "course": st.none() | st.floats(0, 360),
            "altitude": st.none() | st.floats(-499, 8999),
            "hdop": st.none() | st.floats(0, 4.9),
        },
        optional={"position-error": st.none() | st.floats(0, 9_000)},
    ),
    test=st.booleans(),
)
STEP = {
    "latitude": 1e-7,
    "longitude": 1e-7,
    "speed": 2e-3,
    "course": 6e-3,
    "altitude": 6e-2,
    "hdop": 6e-3,
    "position-error": 2e-3,
}


def agrees(sent: Reading, got: Reading) -> bool:
    assert isinstance(sent, Numeric)
    assert isinstance(got, Numeric)
    near = all(
        got.values[name] is None if value is None else got.values[name] == pytest.approx(value, abs=STEP[name])
        for name, value in sent.values.items()
    )
    return near and (got.observed_at, got.test) == (sent.observed_at, sent.test)


def fix(second: float, latitude: float = 35.0, longitude: float = 118.0, **more: float | None) -> Numeric:
    values: dict[str, float | None] = {"latitude": latitude, "longitude": longitude, "speed": 40.0, "course": 90.0}
    return Numeric(
        observed_at=NEW_YEAR + int(second * SECOND), values={**values, "altitude": 60.0, "hdop": 0.9, **more}
    )


def sentences(reading: Numeric) -> tuple[bytes, bytes]:
    rmc, gga, _ = encode(reading).split(b"\r\n")
    return rmc + b"\r\n", gga + b"\r\n"


def positions(items: list[Reading | FrameError]) -> list[tuple[int, float | None]]:
    return [((r.observed_at - NEW_YEAR) // SECOND, r.values["latitude"]) for r in items if isinstance(r, Numeric)]


def reasons(items: list[Reading | FrameError]) -> list[FrameReason]:
    return [item.reason for item in items if isinstance(item, FrameError)]


def test_both_sentences_of_an_epoch_make_one_reading_in_either_order() -> None:
    rmc, gga = sentences(fix(1))
    for stream in (rmc + gga, gga + rmc):
        (reading,) = Decoder().feed(stream, 0)
        assert isinstance(reading, Numeric)
        assert agrees(fix(1), reading)


def test_sentences_of_different_epochs_are_not_mixed() -> None:
    items = Decoder().feed(sentences(fix(1, 35.0))[0] + sentences(fix(2, 35.0001))[1] + encode(fix(3)), 0)
    assert [item.values.keys() for item in items if isinstance(item, Numeric)] == [
        {"course", "latitude", "longitude", "speed"},
        {"altitude", "hdop", "latitude", "longitude"},
        {"altitude", "course", "hdop", "latitude", "longitude", "speed"},
    ]
    assert [at for at, _ in positions(items)] == [1, 2, 3]


def test_a_receiver_that_sends_rmc_alone_is_read_at_once_after_its_first_epoch() -> None:
    decoder = Decoder()
    assert positions(decoder.feed(sentences(fix(1))[0], 0)) == []
    assert positions(decoder.feed(sentences(fix(2))[0], 0)) == [(1, 35.0), (2, 35.0)]
    assert positions(decoder.feed(sentences(fix(3))[0], 0)) == [(3, 35.0)]


@pytest.mark.parametrize(("measured", "received"), [(-5, -3), (-5, 4), (-5, -7), (2, -1), (-5, 3600)])
def test_gga_alone_gets_the_date_nearest_to_its_arrival(measured: int, received: int) -> None:
    """Seconds from a midnight: just after it, just before it, and with an agent whose clock is a little slow."""
    two_epochs = sentences(fix(measured))[1] + sentences(fix(measured + 1))[1]
    items = Decoder().feed(two_epochs, NEW_YEAR + received * SECOND)
    assert [at for at, _ in positions(items)] == [measured, measured + 1]


def test_a_jump_is_refused_and_the_old_place_stays_the_reference() -> None:
    stream = [fix(1), fix(2, 36.0), fix(3, 35.0001)]
    items = Decoder().feed(b"".join(map(encode, stream)), 0)
    assert [at for at, _ in positions(items)] == [1, 3]
    assert reasons(items) == [FrameReason.OUT_OF_RANGE]


def test_a_new_place_is_believed_when_several_fixes_agree() -> None:
    stream = [fix(1), *(fix(second, 36.0) for second in range(2, 7))]
    items = Decoder().feed(b"".join(map(encode, stream)), 0)
    assert [at for at, _ in positions(items)] == [1, 4, 5, 6]


def test_scattered_jumps_never_become_believed() -> None:
    stream = [fix(1), *(fix(1 + n, 36.0 + n) for n in range(1, 9)), fix(10, 35.0002)]
    items = Decoder().feed(b"".join(map(encode, stream)), 0)
    assert [at for at, _ in positions(items)] == [1, 10]


def test_an_ambulance_at_speed_and_a_crossing_of_the_date_line_are_no_jumps() -> None:
    fast = [fix(n, 35.0 + n * 200 / 3600 / 111) for n in range(5)]
    over = [fix(n, 35.0, -180 + n * 1e-4 if n else 179.9999) for n in range(3)]
    north = [fix(n, 62.0, 25.0 + n * 230 / 3600 / 52) for n in range(5)]  # where a degree east is 52 km
    for stream in (fast, over, north):
        items = Decoder().feed(b"".join(map(encode, stream)), 0)
        assert len(positions(items)) == len(stream)


def test_an_implausible_field_is_none_with_a_reason_and_the_place_stays() -> None:
    (reading,) = Decoder().feed(encode(fix(1, altitude=9999.0)), 0)
    assert isinstance(reading, Numeric)
    assert reading.values["altitude"] is None
    assert reading.invalid == {"altitude": "out-of-range"}


def test_a_receiver_without_a_fix_says_so_in_both_sentences() -> None:
    assert reasons(Decoder().feed(encode(Numeric(observed_at=NEW_YEAR, values={})), 0)) == [FrameReason.NO_FIX] * 2


def test_other_sentences_are_passed_over_silently() -> None:
    assert Decoder().feed(b"$GPZDA,161223.89,19,06,2005,00,00*6B\r\n", 0) == []


@pytest.mark.parametrize("reading", [Occurrence(observed_at=0, name="x"), fix(-2_000_000_000)])
def test_what_a_receiver_cannot_say_is_not_sent(reading: Reading) -> None:
    with pytest.raises(ValueError, match="cannot"):
        encode(reading)


# ---- real receivers --------------------------------------------------------------------------------------------------
LOGS = (
    "blumax-gps009", "bt451", "bu353-glonass", "ericsson-gru04-02-70sec", "gr601-w", "haicom-305N", "mt3339",
    "mtk-3329", "nmea-fuzzy-cases", "quectel-L70", "sl869", "telit-he910",
)  # fmt: skip
# the other logs hold SiRF binary (bu303-*), or a date that gpsd moved by 1024 weeks (tcp-torture, below)
SENTENCE = re.compile(rb"^\$..(RMC|GGA),(\d{6})")


def stream_of(log: Path) -> bytes:
    return b"".join(line for line in log.read_bytes().splitlines(keepends=True) if not line.startswith(b"#"))


def answers(log: Path) -> dict[int, list[tuple[float, float]]]:
    """Time in us to the positions gpsd reports for it."""
    found: dict[int, list[tuple[float, float]]] = {}
    for line in log.with_name(log.name + ".chk").read_bytes().splitlines():
        report: dict[str, Any] = json.loads(line) if line.startswith(b"{") else {}
        if report.get("class") == "TPV" and report["mode"] >= 2 and "time" in report and "lat" in report:
            at = datetime.fromisoformat(report["time"])
            found.setdefault(round(at.timestamp() * SECOND), []).append((report["lat"], report["lon"]))
    return found


def clock_of(at: int) -> bytes:
    return f"{datetime.fromtimestamp(at / SECOND, UTC):%H%M%S}".encode()


@pytest.mark.data
@pytest.mark.parametrize("name", LOGS)
def test_positions_are_those_gpsd_finds(recordings: Path, name: str) -> None:
    log = recordings / "nmea" / f"{name}.log"
    expected = answers(log)
    items = Decoder().feed(stream_of(log), min(expected))
    got = {item.observed_at: item for item in items if isinstance(item, Numeric)}
    spoken = {match[2] for line in log.read_bytes().splitlines() if (match := SENTENCE.match(line))}
    refused = {
        match[2]
        for item in items
        if isinstance(item, FrameError) and item.reason is FrameReason.OUT_OF_RANGE
        for line in item.frame.splitlines()
        if (match := SENTENCE.match(line))
    }
    compared = 0
    for at, places in expected.items():
        if clock_of(at) not in spoken or clock_of(at) in refused:  # refused: dilution over 5, which gpsd lets pass
            continue
        here = (got[at].values["latitude"], got[at].values["longitude"])
        assert any(here == pytest.approx(place, abs=1e-5) for place in places), (at, here, places)
        compared += 1
    assert compared >= 2
    assert len(got) >= compared


@pytest.mark.data
@pytest.mark.parametrize("name", LOGS)
def test_a_changed_digit_in_every_sentence_leaves_no_position(recordings: Path, name: str) -> None:
    stream = stream_of(recordings / "nmea" / f"{name}.log")
    damaged = re.sub(
        rb"(?m)^(\$..(?:RMC|GGA),.*)(\d)(\D*)\*", lambda m: m[1] + b"%d" % ((int(m[2]) + 1) % 10) + m[3] + b"*", stream
    )
    items = Decoder().feed(damaged, NEW_YEAR)
    assert [item for item in items if isinstance(item, Numeric)] == []
    assert FrameReason.CHECKSUM in reasons(items)


@pytest.mark.data
def test_sentences_torn_by_the_network_are_joined(recordings: Path) -> None:
    """tcp-torture.log marks the borders of TCP packets with a bar."""
    decoder = Decoder()
    pieces = stream_of(recordings / "nmea" / "tcp-torture.log").split(b"|")
    items = [item for piece in pieces for item in decoder.feed(piece, NEW_YEAR)]
    assert [item.values["latitude"] for item in items if isinstance(item, Numeric)] == [
        pytest.approx(20.628798667, abs=1e-5)
    ]


@pytest.mark.data
def test_errors_are_those_gpsd_reads_from_gst(recordings: Path) -> None:
    log = recordings / "nmea" / "quectel-L70.log"
    items = Decoder().feed(stream_of(log), NEW_YEAR)
    got = {item.observed_at: item.values for item in items if isinstance(item, Numeric)}
    reports = [
        json.loads(line) for line in log.with_name(log.name + ".chk").read_bytes().splitlines() if b'"GST"' in line
    ]
    compared = 0
    for report in reports:
        values = got.get(round(datetime.fromisoformat(report["time"]).timestamp() * SECOND), {})
        if "position-error" in values:  # the first epoch's position is out before its GST comes
            assert values["position-error"] == pytest.approx(math.hypot(report["lat"], report["lon"]), abs=1e-3)
            assert values["altitude-error"] == pytest.approx(report["alt"], abs=1e-3)
            compared += 1
    assert compared >= 10
    assert len(got) - len({at for at, values in got.items() if "position-error" in values}) <= 2


# ---- GST -------------------------------------------------------------------------------------------------------------


def with_error(second: float, error: float) -> tuple[bytes, bytes, bytes]:
    gst, rmc, gga, _ = encode(fix(second, **{"position-error": error, "altitude-error": 2.0})).split(b"\r\n")
    return gst + b"\r\n", rmc + b"\r\n", gga + b"\r\n"


def errors(items: list[Reading | FrameError]) -> list[float | None]:
    return [item.values.get("position-error") for item in items if isinstance(item, Numeric)]


def test_a_receiver_that_sends_its_error_last_is_understood_after_the_first_epoch() -> None:
    stream = b"".join(rmc + gga + gst for gst, rmc, gga in (with_error(n, n + 1.0) for n in range(4)))
    items = Decoder().feed(stream, 0)
    assert errors(items) == [
        None,
        pytest.approx(2.0, abs=1e-3),
        pytest.approx(3.0, abs=1e-3),
        pytest.approx(4.0, abs=1e-3),
    ]


def test_errors_that_come_now_and_then_hold_up_one_position_at_most() -> None:
    decoder = Decoder()
    found = []
    for second in range(6):
        gst, rmc, gga = with_error(second, 5.0)
        found.append(errors(decoder.feed(rmc + gga + (gst if second == 2 else b""), 0)))
    assert found == [[None], [None], [None], [], [None, None], [None]]


def test_an_error_alone_makes_no_position() -> None:
    gst = with_error(1, 5.0)[0]
    assert Decoder().feed(gst + with_error(2, 5.0)[0] + gst, 0) == []


def test_a_receiver_without_an_error_says_so() -> None:
    nothing: dict[str, float | None] = {"position-error": None}
    gst, rmc, gga, _ = encode(fix(1, 35.0, 118.0, **nothing)).split(b"\r\n")
    (reading,) = Decoder().feed(b"\r\n".join((gst, rmc, gga, b"")), 0)
    assert isinstance(reading, Numeric)
    assert (reading.values["position-error"], reading.invalid["position-error"]) == (None, "no-measurement")
