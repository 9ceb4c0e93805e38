"""The hub: who gets what, what a slow screen loses, and what it never loses."""

import json
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from gateway.api.live import CLOSE_TOO_SLOW, HISTORY, RESUME_US, TEXT_RING, WAVE_RING, LiveHub, Screen, frame_bytes
from gateway.api.permissions import Sight
from gateway.api.ports import Actor, Role, Snapshot
from gateway.ports import LiveFeed, MuteBoard
from tests.unit.api.conftest import SITES, SUBJECT, T0, Clock, alert_row, unit_state

WAVE = b"\x83frame"


class Bench:
    """A hub and what it would send."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.metrics = CollectorRegistry()
        self.snapshots = 0
        self.hub = LiveHub(clock=self.clock, snapshot=self._snapshot, site_of=SITES.get, metrics=self.metrics)

    def _snapshot(self) -> Snapshot:
        self.snapshots += 1
        units = [unit_state("amb-001", "north", SUBJECT), unit_state("amb-002", "south")]
        return Snapshot(units, [alert_row(1, "amb-001"), alert_row(2, "amb-002"), alert_row(3, "")])

    def screen(
        self, role: Role = Role.DOCTOR, sites: tuple[str, ...] = ("*",), *, waves: tuple[str, ...] = ()
    ) -> Screen:
        screen = self.hub.open(Actor(role, role, sites, f"session-{role}"))
        self.hub.subscribe(screen, units=["*"], waves=waves, since=None)
        drain(screen)
        return screen

    def value(self, name: str) -> float | None:
        return self.metrics.get_sample_value(name)

    def alert(self, number: int, unit: str = "amb-001") -> None:
        self.hub.notify("alert", unit, {"alert": {"id": f"alert-{number}"}})


def drain(screen: Screen) -> tuple[list[dict[str, Any]], list[bytes]]:
    """Everything that waits: (texts, frames)."""
    texts, frames = [], []
    while screen.wake.is_set():
        for message in screen.take():
            if isinstance(message, str):
                texts.append(json.loads(message))
            else:
                frames.append(message)
    return texts, frames


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_it_is_a_live_feed(bench: Bench) -> None:
    feed: LiveFeed = bench.hub
    feed.wave("amb-001", WAVE)
    feed.notify("event", "amb-001", {"name": "boarded"})


def test_forty_screens_share_one_buffer_per_frame_and_one_text(bench: Bench) -> None:
    screens = [bench.screen(waves=("amb-001",)) for _ in range(40)]
    bench.hub.wave("amb-001", WAVE)
    bench.alert(1)
    taken = [screen.take() for screen in screens]
    assert taken[0][1] == frame_bytes("amb-001", WAVE) == b"\x07amb-001" + WAVE
    assert len({id(messages[0]) for messages in taken}) == 1, "one text object"
    assert len({id(messages[1]) for messages in taken}) == 1, "one bytes object"
    assert bench.value("lastmile_live_screens") == 40


def test_a_slow_screen_loses_the_oldest_frames_and_is_told(bench: Bench) -> None:
    slow, quick = bench.screen(waves=("amb-001", "amb-002")), bench.screen(waves=("amb-001",))
    for number in range(WAVE_RING + 10):
        bench.hub.wave("amb-001", number.to_bytes(2, "big"))
        drain(quick)
    bench.hub.wave("amb-002", WAVE)
    texts, frames = drain(slow)
    assert texts == [{"type": "dropped", "unit": "amb-001", "frames": 11}]
    assert frames[0] == frame_bytes("amb-001", (11).to_bytes(2, "big"))
    assert frames[-1] == frame_bytes("amb-002", WAVE)
    assert len(frames) == WAVE_RING
    assert bench.value("lastmile_live_dropped_frames_total") == 11


def test_news_of_a_loss_comes_before_the_frames_after_it(bench: Bench) -> None:
    slow = bench.screen(waves=("amb-001",))
    for _ in range(WAVE_RING + 1):
        bench.hub.wave("amb-001", WAVE)
    first = slow.take()
    assert json.loads(str(first[0]))["type"] == "dropped"
    assert isinstance(first[1], bytes)


def test_alerts_pass_a_ring_full_of_frames(bench: Bench) -> None:
    slow = bench.screen(waves=("amb-001",))
    for number in range(600):
        bench.hub.wave("amb-001", WAVE)
        bench.alert(number)
    texts, frames = drain(slow)
    assert [text["alert"]["id"] for text in texts if text["type"] == "alert"] == [f"alert-{n}" for n in range(600)]
    assert texts[0]["type"] == "alert", "texts overtake frames"
    assert len(frames) == WAVE_RING


def test_without_room_for_an_alert_the_screen_is_cut_off(bench: Bench) -> None:
    slow, quick = bench.screen(), bench.screen()
    for number in range(TEXT_RING):
        bench.alert(number)
    assert slow.close_code is None
    drain(quick)
    bench.alert(TEXT_RING)
    assert slow.closing.is_set()
    assert [slow.close_code] == [CLOSE_TOO_SLOW]
    bench.alert(TEXT_RING + 1)
    assert not slow.texts, "nothing half: it comes back with a snapshot"
    assert quick.close_code is None


def test_ids_only_grow_also_over_a_restart(bench: Bench) -> None:
    screen = bench.screen()
    bench.alert(1)
    bench.alert(2)
    texts, _ = drain(screen)
    assert texts[1]["id"] == texts[0]["id"] + 1
    bench.clock.now += 1_000_000
    restarted = LiveHub(clock=bench.clock, snapshot=bench._snapshot, site_of=SITES.get, metrics=CollectorRegistry())
    screen = restarted.open(Actor("a", Role.OPS, ("*",), "s"))
    restarted.subscribe(screen, units=["*"], waves=[], since=texts[1]["id"])
    assert drain(screen)[0][0]["type"] == "snapshot", "what was missed is not known any more"
    restarted.notify("event", "amb-001", {})
    assert drain(screen)[0][0]["id"] > texts[1]["id"]


def resume(bench: Bench, since: int | None, **options: Any) -> list[dict[str, Any]]:
    screen = bench.hub.open(Actor("a", Role.OPS, options.pop("sites", ("*",)), "s"))
    bench.hub.subscribe(screen, units=options.pop("units", ["*"]), waves=[], since=since)
    return drain(screen)[0]


def test_resume_sends_exactly_what_was_missed(bench: Bench) -> None:
    screen = bench.screen()
    for number in range(5):
        bench.alert(number, "amb-001" if number % 2 else "amb-002")
    ids = [text["id"] for text in drain(screen)[0]]
    assert [text["id"] for text in resume(bench, ids[1])] == ids[2:]
    assert resume(bench, ids[4]) == []
    assert [text["id"] for text in resume(bench, ids[0] - 1)] == ids
    assert [text["id"] for text in resume(bench, ids[1], units=["amb-001"])] == [ids[3]]
    assert [text["id"] for text in resume(bench, ids[1], sites=("south",))] == [ids[2], ids[4]]
    assert bench.snapshots == 1, "only the first screen got one"


@pytest.mark.parametrize("kind", ["none", "too old", "from the future", "too much"])
def test_else_a_snapshot(bench: Bench, kind: str) -> None:
    bench.screen()  # somebody else watches all the while
    bench.alert(0)
    first = bench.hub._last_id
    for number in range(HISTORY if kind == "too old" else 600):
        bench.alert(number)
    since = {"none": None, "too old": first - 1, "from the future": first + 10_000, "too much": first}[kind]
    texts = resume(bench, since)
    assert [text["type"] for text in texts] == ["snapshot"]
    assert texts[0]["id"] == bench.hub._last_id


def test_while_nobody_watches_the_feed_need_not_be_told(bench: Bench) -> None:
    assert not bench.hub.watched
    screen = bench.screen()
    bench.alert(1)
    seen = drain(screen)[0][-1]["id"]
    bench.hub.leave(screen)
    bench.clock.now += RESUME_US - 1
    assert bench.hub.watched, "it may come back"
    assert resume(bench, seen) == []
    for left in list(bench.hub._screens):
        bench.hub.leave(left)
    bench.clock.now += RESUME_US
    assert not bench.hub.watched
    assert [text["type"] for text in resume(bench, seen)] == ["snapshot"], "what it missed was not kept"


def test_nothing_is_sent_twice_or_skipped_around_a_snapshot(bench: Bench) -> None:
    screen = bench.screen()
    bench.alert(1)  # waits
    bench.hub.subscribe(screen, units=["*"], waves=[], since=None)
    bench.alert(2)
    texts, _ = drain(screen)
    assert [text["type"] for text in texts] == ["snapshot", "alert"]
    assert texts[1]["id"] == texts[0]["id"] + 1


def test_asking_again_for_more_repeats_nothing_that_waits(bench: Bench) -> None:
    screen = bench.screen()
    bench.alert(1)
    seen = drain(screen)[0][-1]["id"]
    bench.alert(2)
    bench.alert(3)  # both wait
    bench.hub.subscribe(screen, units=["*"], waves=["amb-001"], since=seen)
    bench.alert(4)
    assert [text["alert"]["id"] for text in drain(screen)[0]] == ["alert-2", "alert-3", "alert-4"]


def test_a_screen_gets_what_it_asked_for(bench: Bench) -> None:
    screen = bench.screen()
    bench.hub.subscribe(screen, units=["amb-002"], waves=["amb-002"], since=None)
    snapshot = drain(screen)[0][0]
    assert [unit["id"] for unit in snapshot["units"]] == ["amb-002"]
    assert [alert["id"] for alert in snapshot["alerts"]] == ["alert-2", "alert-3"]
    bench.alert(1, "amb-001")
    bench.alert(2, "amb-002")
    bench.hub.wave("amb-001", WAVE)
    bench.hub.wave("amb-002", WAVE)
    texts, frames = drain(screen)
    assert [text["alert"]["id"] for text in texts] == ["alert-2"]
    assert frames == [frame_bytes("amb-002", WAVE)]
    bench.hub.subscribe(screen, units=["amb-001"], waves=[], since=None)
    bench.hub.wave("amb-002", WAVE)
    assert drain(screen)[1] == []


@pytest.mark.parametrize("role", list(Role))
def test_nobody_sees_another_site(bench: Bench, role: Role) -> None:
    screen = bench.hub.open(Actor("a", role, ("south",), "s"))
    bench.hub.subscribe(screen, units=["*", "amb-001"], waves=["amb-001", "amb-002", "amb-999"], since=None)
    bench.hub.prepend_frames(screen, "amb-002", [b"own"])
    for unit in ("amb-001", "amb-002", "amb-999"):
        bench.hub.notify("observations", unit, {"values": {}})
        bench.hub.notify("unit", unit, {"unit": unit_state(unit, "?", SUBJECT)})
        bench.alert(1, unit)
        bench.hub.wave(unit, WAVE)
    texts, frames = drain(screen)
    assert "amb-001" not in json.dumps(texts)
    assert "amb-999" not in json.dumps(texts)
    assert frames == [frame_bytes("amb-002", b"own"), frame_bytes("amb-002", WAVE)]
    assert [text["type"] for text in texts] == ["snapshot", "observations", "unit", "alert"]


@pytest.mark.parametrize(
    ("role", "subject"),
    [
        (Role.DOCTOR, SUBJECT),
        (Role.NURSE, SUBJECT),
        (Role.DISPATCHER, SUBJECT | {"name": "王**"}),
        (Role.OPS, {"id": "person-north", "name": "", "sex": None, "age": None}),
        (Role.ADMIN, {"id": "person-north", "name": "", "sex": None, "age": None}),
    ],
)
def test_names_go_to_those_who_treat(bench: Bench, role: Role, subject: dict[str, Any]) -> None:
    others = [bench.screen(other) for other in Role]
    screen = bench.hub.open(Actor("a", role, ("*",), "s"))
    bench.hub.subscribe(screen, units=["*"], waves=[], since=None)
    bench.hub.notify("unit", "amb-001", {"unit": unit_state("amb-001", "north", SUBJECT)})
    snapshot, news = drain(screen)[0]
    assert snapshot["units"][0]["subject"] == subject
    assert news["unit"]["subject"] == subject
    assert len(others) == 5
    assert SUBJECT["name"] == "王小明", "the state itself is untouched"


def test_screens_that_come_back_together_share_a_snapshot(bench: Bench) -> None:
    for _ in range(40):
        bench.screen()
    assert bench.snapshots == 1
    bench.screen(Role.OPS)
    bench.screen(sites=("north",))
    assert bench.snapshots == 3, "others may see other things"
    bench.alert(1)
    bench.screen()
    assert bench.snapshots == 4
    bench.clock.now += 200_000
    assert resume(bench, None)[0]["now"] == bench.clock.now


def test_recent_frames_come_first_and_none_twice(bench: Bench) -> None:
    bench.hub.wave("amb-001", b"2")  # not committed when the history was read
    screen = bench.screen(waves=("amb-001",))
    bench.hub.wave("amb-001", b"3")
    bench.hub.wave("amb-002", b"x")
    bench.hub.prepend_frames(screen, "amb-001", [b"0", b"1", b"2"])
    bench.hub.wave("amb-001", b"4")
    assert drain(screen)[1] == [frame_bytes("amb-001", str(number).encode()) for number in range(5)]


def test_recent_frames_fit_the_ring(bench: Bench) -> None:
    screen = bench.screen(waves=("amb-001",))
    bench.hub.prepend_frames(screen, "amb-001", [number.to_bytes(2, "big") for number in range(1000)])
    frames = drain(screen)[1]
    assert len(frames) == WAVE_RING
    assert frames[-1] == frame_bytes("amb-001", (999).to_bytes(2, "big"))


def test_the_tail_is_short(bench: Bench) -> None:
    for _ in range(100):
        bench.hub.wave("amb-001", WAVE)
        bench.clock.now += 100_000
    assert len(bench.hub._tail) <= 12


def test_only_the_newest_tick_waits(bench: Bench) -> None:
    screen = bench.screen()
    for lag in range(3):
        bench.hub.tick(lag, None)
    assert drain(screen)[0] == [{"type": "tick", "now": T0, "lag_us": 2, "canary_at": None}]


def test_ended_sessions_lose_their_screens(bench: Bench) -> None:
    doctor, nurse = bench.screen(), bench.screen(Role.NURSE)
    assert bench.hub.sessions() == {"session-doctor", "session-nurse"}
    bench.hub.close_sessions({"session-doctor"})
    assert (doctor.close_code, nurse.close_code) == (4401, None)
    bench.alert(1)
    assert not doctor.texts
    bench.hub.leave(doctor)
    assert bench.value("lastmile_live_screens") == 1


def test_a_screen_that_left_gets_nothing(bench: Bench) -> None:
    screen = bench.screen(waves=("amb-001",))
    bench.hub.leave(screen)
    bench.hub.wave("amb-001", WAVE)
    bench.alert(1)
    assert drain(screen) == ([], [])
    assert bench.hub._by_wave == {}


def test_every_sight_is_encoded_once(bench: Bench) -> None:
    bench.hub.notify("unit", "amb-001", {"unit": unit_state("amb-001", "north", SUBJECT)})
    message = bench.hub._history[-1]
    assert message.text(Sight.FULL) is message.text(Sight.FULL)
    assert message.text(Sight.MASKED) != message.text(Sight.FULL)
    bench.hub.notify("event", "amb-001", {"name": "boarded"})
    message = bench.hub._history[-1]
    assert message.text(Sight.MASKED) is message.text(Sight.FULL), "nobody is named: one text for all"


def test_an_account_is_a_mute_board_when_none_of_its_boards_can_be_heard(bench: Bench) -> None:
    first, second = (bench.hub.open(Actor("ward-3", Role.NURSE, ("north",), f"s-{n}")) for n in range(2))
    assert bench.hub.mute_boards() == [], "it has not said what it is"
    bench.hub.sound(first, board=True, silent_us=5_000_000)
    assert bench.hub.mute_boards() == [MuteBoard("ward-3", frozenset({"north"}), T0 - 5_000_000)]
    bench.hub.sound(second, board=True, silent_us=None)
    assert bench.hub.mute_boards() == [], "the other one sounds"
    bench.hub.sound(second, board=True, silent_us=0)
    assert bench.hub.mute_boards() == [MuteBoard("ward-3", frozenset({"north"}), T0)]
    bench.hub.sound(second, board=False, silent_us=9_000_000)
    assert [one.since for one in bench.hub.mute_boards()] == [T0 - 5_000_000], "somebody sits at the other one"
    bench.hub.leave(first)
    assert bench.hub.mute_boards() == []
