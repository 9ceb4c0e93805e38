"""Sessions of a kiosk on the gateway's path: whose reading is whose, whenever it comes."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from gateway.adapters import subjects, tables
from gateway.adapters.load import load_subjects
from gateway.api.ports import PageRequest
from gateway.care.window import Mode
from gateway.contract.observation import Event, Observation
from gateway.contract.quantity import MINUTE, SECOND
from gateway.ports import LogMessage
from tests.integration.care_bench import AMBULANCE, KIOSK, end, of, start
from tests.integration.path_bench import Bench
from tests.unit.gateway.builders import EPOCH, event, hello

PAGE = PageRequest(100)


class Kiosk:
    """A kiosk's agent: numbers what it says."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.obs = self.event = 0

    def says(self, name: str, at: int | None = None, **details: Any) -> LogMessage:
        self.event += 1
        at = self.bench.now if at is None else at
        body = Event(epoch=EPOCH, seq=self.event - 1, device="reader", observed_at=at, name=name, details=details)
        return of(KIOSK, body)

    def measures(
        self, at: int | None = None, *, device: str = "cuff", late: bool = False, **values: float
    ) -> LogMessage:
        self.obs += 1
        at = self.bench.now if at is None else at
        named: dict[str, float | None] = {name.replace("_", "-"): value for name, value in values.items()}
        body = Observation(epoch=EPOCH, seq=self.obs - 1, device=device, observed_at=at, values=named, backfill=late)
        return of(KIOSK, body)

    def identifies(self, subject: str, at: int | None = None) -> LogMessage:
        return self.says("person-identified", at, subject=subject, source="card")


@pytest.fixture
def kiosk(live: Bench) -> Kiosk:
    live.step(of(KIOSK, hello(live.now)))
    return Kiosk(live)


def sessions(bench: Bench) -> list[tuple[Any, ...]]:
    return bench.rows(tables.association, "subject", "end_reason")


def values_of(bench: Bench, subject: str) -> dict[str, float]:
    return {row["quantity"]: row["value"] for row in bench.write(lambda c: subjects.latest(c, subject, None))}


def test_a_session_ties_every_devices_readings_to_the_person(kiosk: Kiosk) -> None:
    bench = kiosk.bench
    bench.step(kiosk.identifies("p-1"))
    bench.step(kiosk.measures(bp_systolic=128, bp_diastolic=81), kiosk.measures(device="scale", weight=70.5))
    bench.step(kiosk.says("session-end"))
    bench.step(kiosk.measures(device="oxi", spo2=93))
    assert sessions(bench) == [("p-1", "ended")]
    assert values_of(bench, "p-1") == {"bp-diastolic": 81, "bp-systolic": 128, "weight": 70.5}
    [one] = bench.write(lambda c: subjects.sessions(c, "kiosk-1", PAGE, bench.now, start=0, end=2**53))
    assert [(row["device"], row["quantity"], row["n"], row["value"]) for row in one["measured"]] == [
        ("cuff", "bp-diastolic", 1, 81), ("cuff", "bp-systolic", 1, 128), ("scale", "weight", 1, 70.5),
    ]  # fmt: skip
    assert b"p-1" not in b"".join(payload for payload, device in bench.rows(tables.record, "payload", "device")
                                  if device != "reader"), "nothing of a person is copied to a reading"  # fmt: skip


def test_the_next_person_begins_their_own(kiosk: Kiosk) -> None:
    bench = kiosk.bench
    bench.step(kiosk.identifies("p-1"))
    bench.step(kiosk.measures(spo2=97))
    bench.step(kiosk.identifies("p-2"))
    bench.step(kiosk.measures(spo2=94))
    assert sessions(bench) == [("p-1", "replaced"), ("p-2", None)]
    assert (values_of(bench, "p-1"), values_of(bench, "p-2")) == ({"spo2": 97}, {"spo2": 94})
    speaks = bench.write(lambda c: load_subjects(c, bench.now))
    assert speaks["kiosk-1"].id == "p-2"


@pytest.mark.parametrize("restart", [False, True])
def test_a_session_nobody_ends_is_given_up(kiosk: Kiosk, restart: bool) -> None:
    bench = kiosk.bench
    bench.step(kiosk.identifies("p-1"))
    bench.step(kiosk.measures(spo2=97))
    last = bench.now
    if restart:
        bench.restart()
    bench.step(seconds=5 * 60)
    assert sessions(bench) == [("p-1", None)]
    bench.step(seconds=16)
    assert sessions(bench) == [("p-1", "idle")]
    [(end_at,)] = bench.rows(tables.association, "end_at")
    assert 0 <= end_at - last - 5 * MINUTE <= 15 * SECOND
    bench.step(kiosk.measures(spo2=90))
    assert values_of(bench, "p-1") == {"spo2": 97}, "whoever came then has not said who they are"


def test_using_it_keeps_a_session_on_and_a_battery_does_not(kiosk: Kiosk) -> None:
    bench = kiosk.bench
    bench.step(kiosk.identifies("p-1"))
    for _ in range(4):
        bench.step(seconds=4 * 60)
        bench.step(kiosk.measures(spo2=97))
    assert sessions(bench) == [("p-1", None)]
    for _ in range(4):
        bench.step(seconds=2 * 60)
        bench.step(kiosk.measures(battery=50))
    assert sessions(bench) == [("p-1", "idle")]


def test_a_backlog_is_bound_by_when_it_happened(kiosk: Kiosk) -> None:
    bench = kiosk.bench
    hour_ago = bench.now - 3600 * SECOND
    bench.step(kiosk.measures(hour_ago + 2 * MINUTE, bp_systolic=140, late=True))
    assert values_of(bench, "p-1") == {}
    bench.step(late(kiosk.says("session-end", hour_ago + 3 * MINUTE)))
    bench.step(late(kiosk.identifies("p-1", hour_ago)))
    assert sessions(bench) == [("p-1", "ended")]
    assert values_of(bench, "p-1") == {"bp-systolic": 140}
    assert "kiosk-1" not in bench.write(lambda c: load_subjects(c, bench.now)), "an old session speaks for nobody now"


def late(log: LogMessage) -> LogMessage:
    body = msgspec.structs.replace(msgspec.json.decode(log.payload, type=Event), backfill=True)
    return of(KIOSK, body)


def test_a_card_that_cannot_be_told_ends_the_session_before(kiosk: Kiosk) -> None:
    bench = kiosk.bench
    bench.step(kiosk.identifies("p-1"))
    bench.step(kiosk.identifies("张 三"))
    bench.step(kiosk.measures(spo2=90))
    assert sessions(bench) == [("p-1", "replaced")]
    assert values_of(bench, "p-1") == {}


def test_only_a_kiosks_events_bind(live: Bench) -> None:
    body = msgspec.structs.replace(
        event(0, live.now, "person-identified"), details={"subject": "p-1", "source": "card"}
    )
    live.step(of(AMBULANCE, body))
    assert sessions(live) == []


def test_what_is_practised_or_in_service_is_nobodys(kiosk: Kiosk) -> None:
    bench = kiosk.bench
    bench.step(kiosk.identifies("p-1"))
    start(bench, "kiosk-1", "cuff")
    bench.step(kiosk.measures(bp_systolic=300), kiosk.measures(device="scale", weight=70))
    assert values_of(bench, "p-1") == {"weight": 70}
    end(bench, "kiosk-1", "cuff")
    start(bench, "kiosk-1", "", Mode.TRAINING)
    bench.step(kiosk.measures(bp_systolic=10))
    end(bench, "kiosk-1", "")
    assert values_of(bench, "p-1") == {"weight": 70}
    assert len(bench.rows(tables.record, "seq")) == 4, "all of it is stored"


def test_a_session_the_kiosk_counts_is_theirs_from_its_beginning(kiosk: Kiosk) -> None:
    """The reader tells who it is, then that the session began; another kiosk may do it the other way round."""
    bench = kiosk.bench
    bench.step(kiosk.says("person-identified", subject="p-1", source="card", session=7))
    bench.step(kiosk.says("session-start", session=7))
    bench.step(kiosk.measures(spo2=97))
    bench.step(kiosk.says("session-end", session=7, reason="next-person"), kiosk.says("session-start", session=8))
    bench.step(kiosk.measures(spo2=90))
    assert values_of(bench, "p-1") == {"spo2": 97}
    bench.step(kiosk.says("person-identified", subject="p-2", source="qr", session=8))
    assert values_of(bench, "p-2") == {"spo2": 90}
    assert sessions(bench) == [("p-1", "ended"), ("p-2", None)]


@pytest.mark.parametrize("after", range(5))
def test_a_restart_anywhere_in_a_session_changes_nothing(kiosk: Kiosk, after: int) -> None:
    bench = kiosk.bench
    steps: list[Callable[[], LogMessage]] = [
        lambda: kiosk.identifies("p-1"), lambda: kiosk.measures(spo2=97), lambda: kiosk.measures(bp_systolic=120),
        lambda: kiosk.says("session-end"), lambda: kiosk.measures(spo2=80),
    ]  # fmt: skip
    for number, step in enumerate(steps):
        bench.step(step())
        if number == after:
            bench.restart()
    assert sessions(bench) == [("p-1", "ended")]
    assert values_of(bench, "p-1") == {"bp-systolic": 120, "spo2": 97}
