"""Sessions in the database: whatever order their marks come in, the rows are what all marks together make."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, delete, insert, select

from gateway.adapters import people, sessions, tables
from gateway.adapters.load import load_subjects
from gateway.adapters.sql import Database
from gateway.care.sessions import SessionWork
from gateway.care.sitting import Kind, Mark, fold
from tests.unit.store.records import START as T0
from tests.unit.store.records import open_database

SECOND = 1_000_000
MINUTE = 60 * SECOND
IDLE = 5 * MINUTE
UNIT = "amb-001"
LATER = T0 + 30 * 24 * 3600 * SECOND


def mark(kind: str, minute: float, subject: str | None = None, number: int | None = None) -> Mark:
    at = T0 + round(minute * MINUTE)
    return Mark(Kind(kind), at, at, subject, "card" if subject else None, number)


def bring(database: Database, *marks: Mark, now: int = LATER) -> None:
    work = SessionWork({UNIT: list(marks)} if marks else {}, [] if marks else [UNIT], IDLE, now)
    database.submit(lambda c: sessions.write(c, work)).result()


def rows(engine: Engine) -> list[tuple[Any, ...]]:
    c = tables.association.c
    with engine.connect() as db:
        found = db.execute(select(c.subject, c.start_at, c.end_at, c.end_reason).order_by(c.start_at, c.id)).all()
    return [(row[0], (row[1] - T0) / MINUTE, row[2] and (row[2] - T0) / MINUTE, row[3]) for row in found]


NUMBERS = st.sampled_from([None, 1, 2, 3])
MARKS = st.lists(
    st.one_of(
        st.builds(mark, st.just("start"), st.integers(0, 60), st.sampled_from(["a", "b", None]), NUMBERS),
        st.builds(mark, st.just("end"), st.integers(0, 60), st.none(), NUMBERS),
        st.builds(mark, st.just("use"), st.integers(0, 60)),
    ),
    max_size=24,
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("sessions")
    engine = open_database(folder)
    database = Database(engine)
    yield database
    database.close()


@given(marks=MARKS, cuts=st.lists(st.integers(1, 4), min_size=24, max_size=24))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_and_any_batches_make_the_same_sessions(shared: Database, marks: list[Mark], cuts: list[int]) -> None:
    for statement in (delete(tables.association), delete(tables.session_mark)):
        shared.submit(partial(Connection.execute, statement=statement)).result()
    waiting = list(marks)
    for cut in cuts:
        batch, waiting = waiting[:cut], waiting[cut:]
        if batch:
            bring(shared, *batch)
    wanted = [
        (one.subject, (one.start_at - T0) / MINUTE, one.end_at and (one.end_at - T0) / MINUTE, one.end_reason)
        for one in fold(marks, IDLE, LATER)
    ]
    assert rows(shared.engine) == wanted


def test_an_end_that_comes_before_its_start_still_ends_it(database: Database, engine: Engine) -> None:
    bring(database, mark("end", 4))
    bring(database, mark("start", 1, "a"))
    assert rows(engine) == [("a", 1, 4, "ended")]


def test_a_late_start_takes_its_part_of_a_session(database: Database, engine: Engine) -> None:
    bring(database, mark("start", 0, "a"), mark("end", 4))
    bring(database, mark("start", 2, "b"))
    assert rows(engine) == [("a", 0, 2, "replaced"), ("b", 2, 4, "ended")]


def test_a_late_reading_lengthens_a_session_that_was_given_up(database: Database, engine: Engine) -> None:
    bring(database, mark("start", 0, "a"))
    assert rows(engine) == [("a", 0, 5.25, "idle")]
    bring(database, mark("use", 5))
    assert rows(engine) == [("a", 0, 10.25, "idle")]
    bring(database, mark("start", 8, "b"), mark("end", 9))
    assert rows(engine) == [("a", 0, 8, "replaced"), ("b", 8, 9, "ended")]


def test_an_open_session_is_given_up_when_its_time_is_over(database: Database, engine: Engine) -> None:
    bring(database, mark("start", 0, "a"), now=T0 + SECOND)
    assert rows(engine) == [("a", 0, None, None)]
    with engine.connect() as db:
        deadline = sessions.deadlines(db)[UNIT]
    bring(database, now=deadline - 1)
    assert rows(engine) == [("a", 0, None, None)]
    bring(database, now=deadline)
    assert rows(engine) == [("a", 0, 5.25, "idle")]


def test_a_pseudonym_nobody_knows_is_a_person_without_a_name_and_a_known_one_keeps_theirs(
    database: Database, engine: Engine
) -> None:
    known = {"id": "a", "name": "王小明", "created_at": T0}
    database.submit(lambda c: c.execute(insert(tables.person).values(known))).result()
    bring(database, mark("start", 0, "a"), mark("start", 1, "b"))
    with engine.connect() as db:
        names = {row.id: row.name for row in db.execute(select(tables.person))}
    assert names == {"a": "王小明", "b": ""}


def test_what_a_person_has_said_of_a_session_outlives_late_marks(database: Database, engine: Engine) -> None:
    bring(database, mark("start", 0, "a"), mark("start", 2, "b"), mark("end", 4))
    with engine.connect() as db:
        id = db.execute(select(tables.association.c.id).where(tables.association.c.subject == "a")).scalar_one()
    database.submit(lambda c: people.correct_association(c, id, "b", "nurse", LATER)).result()
    bring(database, mark("end", 1))
    assert rows(engine)[0] == ("b", 0, 1, "ended"), "whose it was stays, when it was is told by the kiosk"


def test_a_session_that_a_person_ended_stays_ended(database: Database, engine: Engine) -> None:
    bring(database, mark("start", 0, "a"), now=T0 + SECOND)
    with engine.connect() as db:
        id = db.execute(select(tables.association.c.id)).scalar_one()
    ended = database.submit(lambda c: people.end_association(c, id, T0 + MINUTE, T0 + MINUTE)).result()
    assert ended
    bring(database, mark("use", 0.5), mark("use", 2), now=T0 + 2 * MINUTE)
    assert rows(engine) == [("a", 0, 1, "ended")], "what comes late does not open it again"
    assert not database.submit(lambda c: people.end_association(c, id, T0 + MINUTE, T0)).result()


def test_somebody_identified_late_has_all_of_the_kiosks_session(database: Database, engine: Engine) -> None:
    bring(database, mark("start", 0, None, 7))
    bring(database, mark("use", 4))
    bring(database, mark("start", 5, "a", 7), mark("end", 6, None, 7))
    assert rows(engine) == [("a", 0, 6, "ended")]


def test_the_same_instant_has_one_person_in_whatever_order_they_came(database: Database, engine: Engine) -> None:
    bring(database, mark("start", 0, "a"))
    bring(database, mark("start", 0, "b"))
    assert rows(engine) == [("b", 0, 5.25, "idle")]


def test_units_do_not_mix(database: Database, engine: Engine) -> None:
    with engine.begin() as db:
        row = dict(db.execute(select(tables.unit)).mappings().one()) | {"id": "amb-002"}
        db.execute(insert(tables.unit).values(row))
    bring(database, mark("start", 0, "a"))
    work = SessionWork({"amb-002": [mark("start", 1, "b"), mark("end", 2)]}, [], IDLE, LATER)
    database.submit(lambda c: sessions.write(c, work)).result()
    assert rows(engine) == [("a", 0, 5.25, "idle"), ("b", 1, 2, "ended")]


def test_marks_too_old_to_be_joined_are_forgotten(database: Database, engine: Engine) -> None:
    bring(database, mark("start", 0, "a"))
    bring(database, mark("start", 24 * 60 * 70, "b"), now=T0 + 70 * 24 * 60 * MINUTE)
    with engine.connect() as db:
        assert db.execute(select(tables.session_mark.c.subject)).scalars().all() == ["b"]
    assert [row[0] for row in rows(engine)] == ["a", "b"], "the sessions stay"


def test_voided_is_not_found_and_comes_back_with_a_name(database: Database, engine: Engine) -> None:
    bring(database, mark("start", 0, "a"), now=T0 + SECOND)
    c = tables.association.c
    with engine.connect() as db:
        id = db.execute(select(c.id)).scalar_one()
    gone = database.submit(lambda db: people.correct_association(db, id, None, "nurse", LATER)).result()
    assert (gone["voided_at"], gone["subject"]) == (LATER, "a")
    assert database.submit(lambda db: load_subjects(db, T0 + SECOND)).result() == {}
    bring(database, mark("use", 0.5), now=T0 + 2 * SECOND)
    back = database.submit(lambda db: people.correct_association(db, id, "a", "nurse", LATER)).result()
    assert (back["voided_at"], back["confirmed_by"]) == (None, "nurse")
    assert set(database.submit(lambda db: load_subjects(db, T0 + SECOND)).result()) == {UNIT}


# ---- what a person has said, and late marks -------------------------------------------------------------------------


def say(database: Database, start: float, subject: str | None) -> None:
    """A person corrects the session that began then."""
    c = tables.association.c
    query = select(c.id).where(c.start_at == T0 + round(start * MINUTE))
    id = database.submit(lambda db: db.execute(query).scalar_one()).result()
    database.submit(lambda db: people.correct_association(db, id, subject, "nurse", LATER)).result()


def verdicts(engine: Engine) -> list[tuple[Any, ...]]:
    c = tables.association.c
    with engine.connect() as db:
        query = select(c.voided_at, c.confirmed_by).order_by(c.start_at, c.id)
        marks = [(voided is not None, confirmed) for voided, confirmed in db.execute(query).all()]
    return [(*row[:3], *mark) for row, mark in zip(rows(engine), marks, strict=True)]


@pytest.mark.parametrize(("said", "kept"), [(None, ("a", True)), ("b", ("b", False))])
def test_a_verdict_moves_with_a_session_that_began_earlier(
    database: Database, engine: Engine, said: str | None, kept: tuple[str, bool]
) -> None:
    bring(database, mark("start", 0, "a"), mark("start", 7, "b"), mark("end", 8))
    say(database, 0, said)
    bring(database, mark("start", -0.1, "a"))
    whose, voided = kept
    assert verdicts(engine) == [(whose, -0.1, 5.25, voided, "nurse"), ("b", 7, 8, False, None)]


@pytest.mark.parametrize("first", [0, 7])
def test_nobody_knows_also_whose_two_sessions_were_that_were_one(
    database: Database, engine: Engine, first: float
) -> None:
    bring(database, mark("start", 0, "a"), mark("start", 7, "a"), mark("end", 9))
    assert rows(engine) == [("a", 0, 5.25, "idle"), ("a", 7, 9, "ended")]
    say(database, first, None)
    bring(database, mark("use", 4))
    assert verdicts(engine) == [("a", 0, 9, True, "nurse")]


def test_two_verdicts_on_what_was_one_session_both_count_also_when_it_is_told_of_again(
    database: Database, engine: Engine
) -> None:
    bring(database, mark("start", 0, "a"), mark("start", 7, "a"), mark("end", 9), mark("start", 20, "b"))
    say(database, 0, None)
    say(database, 7, "b")
    for late in (mark("use", 4), mark("use", 8), mark("start", -1, "a")):
        bring(database, late)
    assert verdicts(engine)[:2] == [("a", -1, 9, True, "nurse"), ("b", 7, 9, False, "nurse")]
    bring(database, mark("end", 8.5))
    assert verdicts(engine)[:2] == [("a", -1, 8.5, True, "nurse"), ("b", 7, 8.5, False, "nurse")]


def test_nobody_knows_whose_both_parts_of_a_session_were(database: Database, engine: Engine) -> None:
    bring(database, mark("start", 0, "a"), mark("start", 4, "a"), mark("end", 6))
    say(database, 0, None)
    bring(database, mark("end", 2))
    assert verdicts(engine) == [("a", 0, 2, True, "nurse"), ("a", 4, 6, True, "nurse")]


def test_a_session_that_began_after_a_verdict_is_another(database: Database, engine: Engine) -> None:
    bring(database, mark("start", 0, "a"), now=T0 + SECOND)
    with engine.connect() as db:
        id = db.execute(select(tables.association.c.id)).scalar_one()
    said_at = T0 + 2 * SECOND
    database.submit(lambda db: people.correct_association(db, id, None, "nurse", said_at)).result()
    bring(database, mark("end", 1), mark("start", 2, "a"), mark("end", 3))
    assert verdicts(engine) == [("a", 0, 1, True, "nurse"), ("a", 2, 3, False, None)]
