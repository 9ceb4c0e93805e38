"""A board that makes no sound is an alert when it has lasted, while somebody must be called and nobody hears it."""

import pytest

from gateway.alerts.alert import Alert, State
from gateway.alerts.boards import BOARD_MUTE, PATIENCE, BoardWatch
from gateway.contract.quantity import MINUTE, SECOND
from gateway.ports import MuteBoard
from gateway.rules.row import Priority
from gateway.rules.ruleset import Ruleset, default_ruleset, read_ruleset
from tests.unit.alerts.clinic import NOON, PLACES, Clinic

CITY = frozenset({"city"})
HIGH, MEDIUM = "ventricular-fibrillation", "heart-rate-high"


class Boards:
    """A clinic with boards; ``mute``: those that make no sound."""

    def __init__(self, *mute: MuteBoard, ruleset: Ruleset | None = None) -> None:
        self.clinic = Clinic()
        self.ruleset = ruleset or default_ruleset()
        self.mute = list(mute)
        self.restart()

    def restart(self) -> None:
        self.clinic.restart()
        self.watch = BoardWatch(self.clinic.book, PLACES.get, self.ruleset)

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
    assert line.details["rules_version"] == boards.ruleset.version
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


def test_practice_hides_nothing_that_goes_unheard_in_earnest() -> None:
    boards = Boards(board())
    boards.clinic.begin(HIGH, "ward-1", simulated=True)
    assert [(one.unit, one.simulated) for one in boards.after(150)] == [("ward-1", True)]
    real = boards.clinic.begin("heart-rate-severe-high", "amb-1")
    [told] = boards.after(1)
    assert (told.unit, told.simulated, told.reopened) == ("amb-1", False, 0)
    boards.clinic.acknowledge(real)
    assert [(one.unit, one.simulated) for one in boards.after(1)] == [("ward-1", True)]


def test_it_moves_to_whom_nobody_hears_and_stays_there_while_nobody_does() -> None:
    boards = Boards(board())
    first = boards.clinic.begin(HIGH, "ward-1")
    [told] = boards.after(150)
    second = boards.clinic.begin(HIGH, "amb-1")
    boards.clinic.begin("heart-rate-severe-high", "ward-1", seconds=5)
    boards.clinic.acknowledge(first)
    assert [one.id for one in boards.after(1)] == [told.id], "the unit calls still: nothing new"
    boards.clinic.end("heart-rate-severe-high", "ward-1")
    [moved] = boards.after(1)
    assert (moved.unit, moved.state, moved.id != told.id) == ("amb-1", State.FIRING, True)
    assert [one.id for one in boards.after(1)] == [moved.id], "nothing flaps"
    boards.clinic.acknowledge(second)
    assert boards.after(1) == []


@pytest.mark.parametrize("rule", ["enabled = false", 'hours = "20:00-08:00"'])
def test_a_site_that_does_not_want_to_be_told_is_not(rule: str) -> None:
    boards = Boards(board(), ruleset=read_ruleset(f"[alert.board-mute]\n{rule}\n".encode()))
    boards.clinic.begin(HIGH, "ward-1")
    assert boards.after(150) == []


def test_switching_it_off_ends_it() -> None:
    boards = Boards(board())
    boards.clinic.begin(HIGH, "ward-1")
    assert len(boards.after(150)) == 1
    boards.ruleset = read_ruleset(b"[alert.board-mute]\nenabled = false\n")
    boards.restart()
    assert boards.after(1) == []


def test_it_has_the_priority_the_site_gave_it_and_keeps_itself_alive_by_none() -> None:
    boards = Boards(board(), ruleset=read_ruleset(b'[alert.board-mute]\npriority = "high"\n'))
    called = boards.clinic.begin(HIGH, "ward-1")
    assert [one.priority for one in boards.after(150)] == [Priority.HIGH]
    boards.clinic.acknowledge(called)
    assert boards.after(1) == []


def test_it_looks_once_a_second() -> None:
    boards = Boards(board())
    boards.clinic.begin(HIGH, "ward-1")
    boards.after(150)
    boards.mute = []
    assert boards.watch.check(lambda: boards.mute, boards.clinic.now + SECOND // 2) == []
    assert len(boards.watch.check(lambda: boards.mute, boards.clinic.now + SECOND)) == 1
