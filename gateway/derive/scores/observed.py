"""A score as values of an observation: the total only when nothing is missing, the lower bound beside it always."""

from typing import Final

from gateway.derive.scores.board import SCORES
from gateway.derive.scores.news2 import NEWS2
from gateway.derive.scores.score import Refused, Result, Sum

AT_LEAST: Final = "-at-least"
SINGLE: Final = "news2-single"  # the highest score of one parameter: a 3 asks for a review by itself
BOUNDED: Final = frozenset(row.name for row in SCORES.values() if isinstance(row, Sum) and not row.worst_is_low)


def values_of(result: Result) -> tuple[dict[str, float | None], dict[str, str]]:
    """Quantity to value, and quantity to the reason why it has none.

    A rule on ``news2-at-least`` is right whatever is missing: the true total is never lower.
    """
    name = result.name
    names = (name, name + AT_LEAST) if name in BOUNDED else (name,)
    if name == NEWS2.name:
        names = (*names, SINGLE)
    if isinstance(result, Refused):
        return dict.fromkeys(names), dict.fromkeys(names, "population")
    values: dict[str, float | None] = {name: result.value if result.complete else None}
    if name in BOUNDED:
        values[name + AT_LEAST] = result.value
    if name == NEWS2.name:
        values[SINGLE] = max((part.points for part in result.parts if part.points is not None), default=None)
    return values, {quantity: "incomplete" for quantity, value in values.items() if value is None}
