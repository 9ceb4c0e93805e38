"""Sessions as the fold of marks: each way one begins, goes on and ends. And what of a record makes a mark."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.admit import Admitted
from gateway.care.sessions import SessionWatch, read_identity
from gateway.care.sitting import MOST_DELAY, USE_STEP, Kind, Mark, Sitting, fold
from gateway.config import SettingsError, load_settings
from gateway.contract.envelope import Lane
from gateway.contract.observation import Event, Observation
from gateway.contract.quantity import MINUTE, SECOND
from gateway.contract.topic import Channel, UnitAddress, UnitKind
from gateway.contract.waveform import WaveFrame
from gateway.ledger import LaneLedger
from gateway.ports import RecordFlag
from gateway.unpack import Route
from tests.unit.gateway.builders import EPOCH, NOW

IDLE = 5 * MINUTE
LATER = NOW + 1000 * MINUTE
KIOSK = UnitAddress("linyi", UnitKind.HEALTH_KIOSK, "kiosk-1")


def mark(kind: Kind, minute: float, subject: str | None = None, number: int | None = None, delay: int = 0) -> Mark:
    at = NOW + round(minute * MINUTE)
    return Mark(kind, at, at + delay, subject, "card" if subject else None, number)


def start(minute: float, subject: str | None, number: int | None = None) -> Mark:
    return mark(Kind.START, minute, subject, number)


def end(minute: float, number: int | None = None) -> Mark:
    return mark(Kind.END, minute, None, number)


def use(minute: float, delay: int = 0) -> Mark:
    return mark(Kind.USE, minute, delay=delay)


def told(*marks: Mark, now: int = LATER) -> list[tuple[Any, ...]]:
    def minute(at: int | None) -> float | None:
        return None if at is None else (at - NOW) / MINUTE

    return [(one.subject, minute(one.start_at), minute(one.end_at), one.end_reason) for one in fold(marks, IDLE, now)]


@pytest.mark.parametrize(
    ("marks", "sessions"),
    [
        ([], []),
        ([use(0), end(1)], []),
        ([start(0, "a"), end(2)], [("a", 0, 2, "ended")]),
        ([start(0, "a"), end(2), use(3), end(4)], [("a", 0, 2, "ended")]),
        ([start(0, "a"), start(1, "b"), end(2)], [("a", 0, 1, "replaced"), ("b", 1, 2, "ended")]),
        ([start(0, "a"), start(1, "a"), end(2)], [("a", 0, 2, "ended")]),
        ([start(0, "a"), end(1), start(1, "a"), end(2)], [("a", 0, 1, "ended"), ("a", 1, 2, "ended")]),
        ([start(0, "a"), start(1, None), use(2), end(3)], [("a", 0, 1, "replaced")]),
        ([start(0, None), start(1, "a"), end(2)], [("a", 1, 2, "ended")]),
        ([start(0, "a"), start(0, "b"), end(1)], [("b", 0, 1, "ended")]),
        # a kiosk that counts: identified, then begun; begun, then identified; the next person; a second card
        ([start(0, "a", 7), start(0.1, None, 7), end(2, 7)], [("a", 0, 2, "ended")]),
        ([start(0, None, 7), use(1), start(2, "a", 7), end(3, 7)], [("a", 0, 3, "ended")]),
        ([start(0, "a", 7), start(1, None, 8), use(2), end(3, 8)], [("a", 0, 1, "replaced")]),
        (
            [start(0, "a", 7), end(1, 7), start(1, "b", 8), end(2, 7), end(3, 8)],
            [("a", 0, 1, "ended"), ("b", 1, 3, "ended")],
        ),
        ([start(0, "a", 7), start(1, "b", 7), end(2, 7)], [("a", 0, 1, "replaced"), ("b", 1, 2, "ended")]),
        ([start(0, "a", 7), start(1, "a", 8), end(2, 8)], [("a", 0, 1, "replaced"), ("a", 1, 2, "ended")]),
        ([start(0, None, 7), use(5), use(10), end(12, 7)], []),
        ([start(0, "a")], [("a", 0, 5.25, "idle")]),
        ([start(0, "a"), use(5), use(10), end(12)], [("a", 0, 12, "ended")]),
        ([start(0, "a"), use(5.25), end(6)], [("a", 0, 5.25, "idle")]),
        ([start(0, "a"), start(9, "a"), end(10)], [("a", 0, 5.25, "idle"), ("a", 9, 10, "ended")]),
    ],
)
def test_sessions(marks: list[Mark], sessions: list[tuple[Any, ...]]) -> None:
    assert told(*marks) == sessions
    assert told(*reversed(marks)) == sessions


def test_an_open_session_names_when_it_is_given_up() -> None:
    [one] = fold([start(0, "a"), use(1)], IDLE, NOW + MINUTE)
    assert one == Sitting("a", "card", NOW, None, None, NOW + MINUTE + USE_STEP + IDLE)
    assert told(start(0, "a"), use(1), now=NOW + MINUTE + USE_STEP + IDLE) == [("a", 0, 6.25, "idle")]


def test_what_is_on_its_way_is_waited_for_but_a_backlog_is_not() -> None:
    reach = NOW + USE_STEP + IDLE
    slow = [mark(Kind.START, 0, "a", delay=20 * SECOND)]
    assert fold(slow, IDLE, reach + 20 * SECOND - 1)[0].end_at is None
    assert fold(slow, IDLE, reach + 20 * SECOND)[0].end_at == reach
    old = [mark(Kind.START, 0, "a", delay=3600 * SECOND)]
    assert fold(old, IDLE, NOW + 3600 * SECOND)[0].end_at == reach
    assert MOST_DELAY < IDLE


# ---- what makes a mark ----------------------------------------------------------------------------------------------


def record(
    body: Observation | Event | WaveFrame, *, at: int = NOW, flags: int = 0, address: UnitAddress = KIOSK
) -> Any:
    channel = {Observation: Channel.OBS, Event: Channel.EVENT, WaveFrame: Channel.WAVE}[type(body)]
    lane = Lane(channel.value)
    return Admitted(Route(address, channel, lane), LaneLedger(1, address.unit, EPOCH, lane), body, at, at, flags, b"")


def happened(name: str, **details: Any) -> Event:
    return Event(epoch=EPOCH, seq=0, device="reader", observed_at=NOW, name=name, details=details)


def measured(device: str = "cuff", **values: float | None) -> Observation:
    named = {name.replace("_", "-"): value for name, value in values.items()}
    return Observation(epoch=EPOCH, seq=0, device=device, observed_at=NOW, values=named)


def marks(*records: Any) -> list[Mark]:
    watch = SessionWatch(IDLE)
    for one in records:
        watch.take(one)
    work = watch.take_work(NOW)
    return work.marks.get("kiosk-1", []) if work else []


ECG = WaveFrame(
    epoch=EPOCH, seq=0, device="ecg", observed_at=NOW, n0=0, fs=500, leads=["II"], scale=0.005, samples=b"\0\0"
)  # fmt: skip


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (happened("session-start", subject="p-1", source="card"), (Kind.START, "p-1", "card")),
        (happened("person-identified", subject="p-1", source="qr"), (Kind.START, "p-1", "qr")),
        (happened("person-identified", subject="p-1", source="guess"), (Kind.START, "p-1", "proposed")),
        (happened("person-identified", subject="张三 <script>"), (Kind.START, None, None)),
        (happened("person-identified", subject=7), (Kind.START, None, None)),
        (happened("session-start"), (Kind.START, None, None)),
        (happened("session-start", session=7), (Kind.START, None, None, 7)),
        (happened("person-identified", session=7, subject="p-1", source="qr"), (Kind.START, "p-1", "qr", 7)),
        (happened("person-identified", session=True, subject="p-1", source="qr"), (Kind.START, "p-1", "qr")),
        (happened("session-end", session=7, reason="done"), (Kind.END, None, None, 7)),
        (happened("session-end", session=-1), (Kind.END, None, None)),
        (happened("button"), None),
        (measured(bp_systolic=120.0), (Kind.USE, None, None)),
        (measured(spo2=None), None),
        (measured(battery=80.0, ambient_temperature=21.0), None),
        (ECG, (Kind.USE, None, None)),
        (msgspec.structs.replace(ECG, test=True), None),
    ],
)
def test_what_makes_a_mark(body: Any, wanted: Any) -> None:
    found = [(one.kind, one.subject, one.source, one.number) for one in marks(record(body))]
    assert found == ([(*wanted, None)[:4]] if wanted else [])


def test_only_health_kiosks_have_sessions() -> None:
    van = UnitAddress("linyi", UnitKind.AMBULANCE, "kiosk-1")
    assert marks(record(happened("session-start", subject="p-1", source="card"), address=van)) == []


def test_a_device_in_service_is_not_in_use() -> None:
    assert marks(record(measured(bp_systolic=120.0), flags=RecordFlag.SERVICE)) == []


def test_use_is_noted_once_in_a_while() -> None:
    found = marks(*(record(measured(spo2=97.0), at=NOW + second * SECOND) for second in range(61)))
    assert len(found) == 61 // 15 + 1


def test_a_deadline_is_told_once() -> None:
    watch = SessionWatch(IDLE, {"kiosk-1": NOW})
    watch.check(NOW - 1)
    assert watch.take_work(NOW) is None
    watch.check(NOW)
    work = watch.take_work(NOW)
    assert work is not None
    assert work.due == ["kiosk-1"]
    watch.check(NOW + IDLE)
    assert watch.take_work(NOW + IDLE) is None


def test_a_site_may_set_when_a_session_is_given_up(tmp_path: Path) -> None:
    assert load_settings(tmp_path).sessions.idle_minutes == 5
    (tmp_path / "lastmile.toml").write_text("[sessions]\nidle_minutes = 2.5\n")
    assert load_settings(tmp_path).sessions.idle_minutes == 2.5
    (tmp_path / "lastmile.toml").write_text("[sessions]\nidle_minutes = 0\n")
    with pytest.raises(SettingsError, match="idle_minutes"):
        load_settings(tmp_path)


@pytest.mark.parametrize("subject", ["", "-p", "x" * 37, "a b", "a/b", "a\n", None, [], {}])
def test_what_is_no_pseudonym(subject: Any) -> None:
    assert read_identity({"subject": subject, "source": "card"}) == (None, None)
