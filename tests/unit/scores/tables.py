"""What the table tests of scores share: somebody, and inputs that were all observed just now."""

from gateway.derive.population import Pregnancy
from gateway.derive.scores.board import ScoreBoard
from gateway.derive.scores.score import VALIDITY, Inputs, Person, Reading, ScaleTwo, Score, Sum, Value

NOW = 1_800_000_000_000_000
YEAR = 365.25
ADULT = Person(age_days=round(50 * YEAR))
SCALE_TWO = Person(age_days=round(70 * YEAR), scale_two=ScaleTwo("dr-li", NOW))
PREGNANT = Person(age_days=round(30 * YEAR), pregnancy=Pregnancy.PREGNANT)
POSTPARTUM = Person(age_days=round(30 * YEAR), pregnancy=Pregnancy.POSTPARTUM)
UNKNOWN = Person()
WELL: dict[str, Value] = {
    "resp-rate": 16,
    "spo2": 97,
    "oxygen": "air",
    "bp-systolic": 120,
    "bp-diastolic": 75,
    "heart-rate": 70,
    "consciousness": "alert",
    "temperature": 37.0,
}


def child(years: float) -> Person:
    return Person(age_days=round(years * YEAR))


def inputs(values: dict[str, Value], at: int = NOW) -> dict[str, Reading]:
    assert values.keys() <= VALIDITY.keys()
    return {name: Reading(value, at) for name, value in values.items()}


def scored(score: Sum, person: Person, given: Inputs, now: int = NOW) -> Score:
    result = score.evaluate(person, given, now)
    assert isinstance(result, Score), result
    return result


def points(score: Sum, person: Person, part: str, values: dict[str, Value]) -> int | None:
    """The points of one part."""
    return {one.name: one.points for one in scored(score, person, inputs(values)).parts}[part]


UNIT = "ambulance-001"
VITALS = {"resp-rate": 16.0, "spo2": 97.0, "bp-systolic": 120.0, "heart-rate": 70.0, "temperature": 37.0}


def board_of(person: Person = ADULT, at: int = NOW, off: tuple[str, ...] = ()) -> ScoreBoard:
    """A unit with everything NEWS2 needs, not yet scored."""
    board = ScoreBoard(off)
    board.person(UNIT, person)
    for name, value in VITALS.items():
        board.value(UNIT, name, value, at)
    board.event(UNIT, "avpu", {"level": "alert"}, at)
    board.event(UNIT, "oxygen", {"state": "air"}, at)
    return board
