"""Every derivation has its row in the document of intended use, and its switch."""

import re
from pathlib import Path

import pytest

from gateway.derive.scores.board import SCORES, ScoreBoard
from gateway.derive.switch import DERIVATIONS, UnknownDerivation, switched_off

INTENDED_USE = Path(__file__).parents[3] / "docs" / "intended-use.md"


def test_the_document_names_every_derivation_and_no_other() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \|", INTENDED_USE.read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(DERIVATIONS)


@pytest.mark.parametrize("name", sorted(SCORES))
def test_a_score_that_is_off_stays_off(name: str) -> None:
    off = switched_off([name]) & SCORES.keys()
    board = ScoreBoard(off)
    board.value("ward-1", "heart-rate", 70, 0)
    board.check(10_000_000)
    assert board.current("ward-1").keys() == SCORES.keys() - {name}


def test_a_name_that_is_none_is_refused() -> None:
    assert switched_off([]) == frozenset()
    with pytest.raises(UnknownDerivation, match="news3"):
        switched_off(["news2", "news3"])
