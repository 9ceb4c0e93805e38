"""The chain tells of every tampering that leaves a later row, and a head kept elsewhere tells of the rest."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, create_engine, delete, insert, select, update

from gateway.adapters import audit_log, tables

LOG = tables.audit_log


@pytest.fixture
def db() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    tables.metadata.create_all(engine)
    with engine.begin() as connection:
        for number in range(1, 11):
            audit_log.append(connection, 1000 + number, "doctor", "acknowledge", f"alert-{number}", {"n": number})
        yield connection
    engine.dispose()


def test_untouched_it_is_whole(db: Connection) -> None:
    assert audit_log.verify(db) == []
    assert audit_log.verify(db, audit_log.head(db)) == []
    assert audit_log.head(db).id == 10


def test_empty_it_is_whole() -> None:
    engine = create_engine("sqlite://")
    tables.metadata.create_all(engine)
    with engine.begin() as connection:
        head = audit_log.head(connection)
        assert audit_log.verify(connection, head) == []
        audit_log.append(connection, 1, "a", "b", "c", {})
        assert audit_log.verify(connection, head) == []
    engine.dispose()


@pytest.mark.parametrize("column", ["at", "actor", "action", "target", "details", "chain"])
@pytest.mark.parametrize("row", range(1, 11))
def test_a_changed_field_is_found(db: Connection, column: str, row: int) -> None:
    value = 7 if column == "at" else "other"
    db.execute(update(LOG).where(LOG.c.id == row).values({column: value}))
    assert row in audit_log.verify(db)


@pytest.mark.parametrize("row", range(1, 10))
def test_a_deleted_row_is_found_at_the_next(db: Connection, row: int) -> None:
    db.execute(delete(LOG).where(LOG.c.id == row))
    assert audit_log.verify(db) == [row + 1]


@pytest.mark.parametrize(("one", "other"), [(1, 2), (3, 9), (9, 10)])
def test_swapped_rows_are_found(db: Connection, one: int, other: int) -> None:
    for before, after in ((one, 99), (other, one), (99, other)):
        db.execute(update(LOG).where(LOG.c.id == before).values(id=after))
    assert {one, other} <= set(audit_log.verify(db))


def test_a_row_put_in_is_found(db: Connection) -> None:
    row = dict(db.execute(select(LOG).where(LOG.c.id == 10)).mappings().one())
    db.execute(insert(LOG).values(row | {"id": 11, "actor": "mallory"}))
    assert audit_log.verify(db) == [11]


def rechain(db: Connection, first: int, last: int) -> None:
    """What somebody does who knows how the chain is made."""
    previous = db.execute(select(LOG.c.chain).where(LOG.c.id < first).order_by(LOG.c.id.desc()).limit(1)).scalar_one()
    for row in db.execute(select(LOG).where(LOG.c.id.between(first, last)).order_by(LOG.c.id)).all():
        previous = audit_log._link(previous, tuple(row)[:-1])
        db.execute(update(LOG).where(LOG.c.id == row.id).values(chain=previous))


def test_a_changed_row_with_a_proper_chain_is_found_at_the_next(db: Connection) -> None:
    db.execute(update(LOG).where(LOG.c.id == 5).values(actor="mallory"))
    rechain(db, 5, 5)
    assert audit_log.verify(db) == [6]


def test_a_deleted_row_leaves_a_hole_in_the_numbers(db: Connection) -> None:
    db.execute(delete(LOG).where(LOG.c.id == 5))
    rechain(db, 6, 10)
    assert audit_log.verify(db) == [6]


def cut(db: Connection) -> None:
    db.execute(delete(LOG).where(LOG.c.id > 7))


def rewrite(db: Connection) -> None:
    """Somebody who knows how removes the end and writes another one, properly chained."""
    cut(db)
    for number in range(8, 11):
        audit_log.append(db, 1000 + number, "doctor", "nothing", "", {})


@pytest.mark.parametrize("tamper", [cut, rewrite])
def test_a_new_end_is_found_by_a_head_kept_elsewhere(db: Connection, tamper: Callable[[Connection], None]) -> None:
    anchor = audit_log.head(db)
    tamper(db)
    assert audit_log.verify(db) == [], "the chain alone cannot tell"
    assert audit_log.verify(db, anchor) == [10]


def test_rows_written_later_do_not_disturb_an_old_head(db: Connection) -> None:
    anchor = audit_log.head(db)
    audit_log.append(db, 2000, "nurse", "signed-in", "", {})
    assert audit_log.verify(db, anchor) == []
