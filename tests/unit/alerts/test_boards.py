"""A board that makes no sound is an alert when it has lasted, while somebody must be called and nobody hears it."""

import pytest

from gateway.alerts.alert import Alert, State
from gateway.alerts.boards import BOARD_MUTE, PATIENCE, BoardWatch
from gateway.contract.quantity import MINUTE, SECOND
from gateway.ports import MuteBoard
from tests.unit.alerts.clinic import NOON, PLACES, Clinic

CITY = frozenset({"city"})
HIGH, MEDIUM = "ventricular-fibrillation", "heart-rate-high"


class Boards:
    """A clinic with boards; ``mute``: those that make no sound."""

    def __init__(self, *mute: MuteBoard) -> None:
        self.clinic = Clinic()
        self.mute = list(mute)
        self.restart()

    def restart(self) -> None:
        self.clinic.restart()
        self.watch = BoardWatch(self.clinic.book, PLACES.get)

    def after(self, seconds: int) -> list[Alert]:
        """The alerts of mute boards that stand then."""
        self.clinic.now += seconds * SECOND
        made = self.watch.check(lambda: self.mute, self.clinic.now)
        self.clinic.commit(made + self.clinic.lifecycle.advance(self.clinic.now))
        return [alert for alert in self.clinic.book.open if alert.rule == BOARD_MUTE]


def board(account: str = "ward-3", since: int = NOON, sites: frozenset[str] | None = CITY) -> MuteBoard:
    return MuteBoard(account, sites, since)


def test_a_mute_board_is_told_to_the_nurse_of_the_patient_nobody_hears() -> None:
    boards = Boards(board())
    called = boards.clinic.begin(HIGH, "ward-1")
    assert boards.after(PATIENCE // SECOND - 1) == [], "an audio pause"
    [told] = boards.after(1)
    assert (told.subject, told.unit, told.priority, told.state) == ("board/ward-3", "ward-1", "medium", State.FIRING)
    assert boards.clinic.told(BOARD_MUTE) == [(120, "raised", "nurse", ("nurse.wang", "nurse.zhao"))]
    [line] = [one for one in boards.clinic.log if one.alert.id == told.id and one.move == "raise"]
    assert line.details["alert"] == called.id
    assert line.details["why"] == "no sound at ward-3 for 2 min"
    assert len(boards.after(120)) == 1
    assert [reason for _, reason, _, _ in boards.clinic.told(BOARD_MUTE)] == ["raised", "escalated"], "reminded"


@pytest.mark.parametrize("what", ["medium", "taken", "silenced", "elsewhere", "sounds"])
def test_nothing_is_missed_at_it(what: str) -> None:
    boards = Boards(board(sites=frozenset({"elsewhere"}) if what == "elsewhere" else CITY))
    called = boards.clinic.begin(MEDIUM if what == "medium" else "heart-rate-severe-high", "ward-1")
    if what == "taken":
        boards.clinic.acknowledge(called)
    if what == "silenced":
        boards.clinic.silence()
    if what == "sounds":
        boards.mute = []
    assert boards.after(600) == []


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("how", ["sound", "taken", "over"])
def test_it_ends_by_itself(how: str, restart: bool) -> None:
    boards = Boards(board())
    called = boards.clinic.begin("heart-rate-severe-high", "ward-1")
    assert len(boards.after(150)) == 1
    if restart:
        boards.restart()
    if how == "sound":
        boards.mute = []
    elif how == "taken":
        boards.clinic.acknowledge(called)
    else:
        boards.clinic.end("heart-rate-severe-high", "ward-1")
    assert boards.after(1) == []
    assert boards.clinic.log[-1].alert.state is State.RESOLVED


def test_each_board_is_one_alert_and_one_that_shows_every_site_is_too() -> None:
    boards = Boards(board("ward-3"), board("desk", sites=None), board("late", since=NOON + MINUTE))
    boards.clinic.begin(HIGH, "ward-1")
    assert [alert.subject for alert in boards.after(150)] == ["board/desk", "board/ward-3"]
    assert len(boards.after(60)) == 3


def test_a_board_that_practises_calls_nobody_in_earnest() -> None:
    boards = Boards(board())
    boards.clinic.begin(HIGH, "ward-1", simulated=True)
    assert [alert.simulated for alert in boards.after(150)] == [True]


def test_it_looks_once_a_second() -> None:
    boards = Boards(board())
    boards.clinic.begin(HIGH, "ward-1")
    boards.after(150)
    boards.mute = []
    assert boards.watch.check(lambda: boards.mute, boards.clinic.now + SECOND // 2) == []
    assert len(boards.watch.check(lambda: boards.mute, boards.clinic.now + SECOND)) == 1
