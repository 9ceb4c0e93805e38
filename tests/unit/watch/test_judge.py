"""When the watcher speaks: what has stopped, what works again, and nothing twice."""

import pytest

from gateway.watch.judge import REMIND_SECONDS, Judge, Part, Verdict
from gateway.watch.words import sentence

PATIENCE = 15.0


def working(judge: Judge, now: float, *without: Part) -> list[Verdict]:
    """A round in which all but these were seen at work."""
    for part in Part:
        if part not in without:
            judge.saw(part, now)
    return judge.check(now)


def run(judge: Judge, start: int, end: int, *without: Part) -> list[tuple[int, Part, bool]]:
    """Rounds of two seconds."""
    return [
        (now, verdict.part, verdict.down)
        for now in range(start, end, 2)
        for verdict in working(judge, float(now), *without)
    ]


@pytest.mark.parametrize("part", Part)
def test_what_stops_is_told_once_and_so_is_its_return(part: Part) -> None:
    judge = Judge(0.0, PATIENCE, start_grace=0.0)
    assert run(judge, 2, 100) == []
    stopped = run(judge, 100, 200, part)
    assert stopped == [(114, part, True)], "the first round after 15 s since 98"
    assert judge.down == [part]
    assert run(judge, 200, 300) == [(200, part, False)]
    assert judge.down == []


def test_what_lasts_is_told_again() -> None:
    judge = Judge(0.0, PATIENCE, start_grace=0.0)
    told = run(judge, 0, int(2 * REMIND_SECONDS) + 100, Part.PATH)
    assert [now for now, _, _ in told] == [16, 616, 1216]


def test_a_start_takes_its_time() -> None:
    judge = Judge(0.0, PATIENCE, start_grace=60.0)
    assert run(judge, 0, 60, *Part) == []
    assert {part for _, part, _ in run(judge, 60, 64, *Part)} == set(Part)


def test_old_news_is_no_sign_of_life() -> None:
    judge = Judge(0.0, PATIENCE, start_grace=0.0)
    judge.saw(Part.BROKER, 10.0)
    told = []
    for now in range(12, 60, 2):
        judge.saw(Part.BROKER, 10.0)
        told += [one for one in working(judge, float(now), Part.BROKER) if one.part is Part.BROKER]
    assert [one.down for one in told] == [True]


def test_the_reason_is_the_newest() -> None:
    judge = Judge(0.0, PATIENCE, start_grace=0.0)
    judge.failed(Part.GATEWAY, "connection refused")
    judge.failed(Part.GATEWAY, "timed out")
    [verdict] = [one for one in working(judge, 16.0, Part.GATEWAY) if one.part is Part.GATEWAY]
    assert verdict.why == "timed out"


@pytest.mark.parametrize("part", Part)
@pytest.mark.parametrize("down", [True, False])
def test_every_word_is_there_in_both_languages(part: Part, down: bool) -> None:
    verdict = Verdict(part, down=down, seconds=17.4, why="")
    zh, en = sentence(verdict, "zh"), sentence(verdict, "en")
    assert zh != en
    assert "17" in zh
    assert "17" in en
