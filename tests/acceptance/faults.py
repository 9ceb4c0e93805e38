"""What the fault tests share: how often to break things, looking into the files, coming to rest, and the proof.

``make test`` runs a tenth of the counts, ``make faults`` all of them (LASTMILE_FAULTS=full). With LASTMILE_PROOF_DIR
set every fault test leaves a JSON file of what it did there; scripts/fault_table.py makes docs/proof.md of them.
"""

import json
import os
import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.acceptance.harness import Audit, Stack, Vehicle
from tests.acceptance.process import FULL, NotInTimeError, eventually

_OUTBOX_TABLES = ("event_record", "obs_record", "wave_record")


def times(full: int) -> int:
    """How often: ``full``, or a tenth of it (at least once)."""
    return full if FULL else max(1, full // 10)


def seconds(full: float, least: float = 5.0) -> float:
    """How long: ``full``, or a tenth of it (at least ``least``)."""
    return full if FULL else max(least, full / 10)


# ---- looking into files ----------------------------------------------------------------------------------------------
def query(path: Path, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Rows of an SQLite file that somebody else writes."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as database:
        return database.execute(statement, values).fetchall()


def in_database(stack: Stack, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Rows of the gateway's database."""
    return query(stack.data / "lastmile.db", statement, *values)


def stored(stack: Stack, unit: str = "%") -> int:
    """Records in the database, folded ones included, without those the gateway derived itself."""
    lanes = "SELECT id FROM lane WHERE unit LIKE ? AND epoch <> '0000000000000000'"
    statement = (
        f"SELECT (SELECT count(*) FROM record WHERE lane_id IN ({lanes}))"
        f" + (SELECT coalesce(sum(records), 0) FROM block WHERE lane_id IN ({lanes}))"
    )
    count: int = in_database(stack, statement, unit, unit)[0][0]
    return count


def arrival_rate(stack: Stack, unit: str, since: float, until: float) -> float:
    """Records of the unit a second that the broker's log took between two moments (seconds since 1970)."""
    statement = (
        "SELECT count(*) FROM record WHERE lane_id IN (SELECT id FROM lane WHERE unit = ?)"
        " AND received_at BETWEEN ? AND ?"
    )
    count: int = in_database(stack, statement, unit, int(since * 1e6), int(until * 1e6))[0][0]
    return count / (until - since)


def outbox_depth(vehicle: Vehicle) -> int:
    """Records in the agent's outbox file that no ack has covered."""
    counts = " + ".join(f"(SELECT count(*) FROM {table})" for table in _OUTBOX_TABLES)
    try:
        depth: int = query(vehicle.outbox, f"SELECT {counts}")[0][0]
    except sqlite3.OperationalError as error:  # being made just now
        raise AssertionError(str(error)) from error
    return depth


# ---- coming to rest --------------------------------------------------------------------------------------------------
def alerts(stack: Stack, rule: str, which: str = "open") -> list[dict[str, Any]]:
    """Alerts of one rule as a doctor gets them."""
    with stack.api("doctor") as api:
        answer = api.get("/alerts", params={"state": which, "limit": 100})
        assert answer.is_success, answer.text
        return [alert for alert in answer.json()["items"] if alert["rule"] == rule]


def emptied(stack: Stack, *units: str, timeout: float = 90.0) -> None:
    """Waits until the outboxes of the units (all, when none is named) are empty and no gap is open."""
    vehicles = [stack.vehicles[unit] for unit in units] or list(stack.vehicles.values())

    def empty() -> bool:
        for vehicle in vehicles:
            vehicle.agent.must_run()
        return sum(map(outbox_depth, vehicles)) == 0

    try:
        eventually(empty, "every outbox is empty", timeout, 0.1)
        eventually(lambda: stack.metrics()["lastmile_gaps_open"] == 0, "no gap is open", 15, 0.25)
    except NotInTimeError as error:
        raise AssertionError(f"{error}\n{[(v.unit, outbox_depth(v)) for v in vehicles]}\n{gaps(stack)}") from None


def gaps(stack: Stack) -> list[tuple[Any, ...]]:
    """Open gaps: unit, epoch, lane, first, last."""
    return in_database(
        stack,
        "SELECT lane.unit, lane.epoch, lane.lane, gap.first, gap.last, lane.next"
        " FROM gap JOIN lane ON lane.id = gap.lane_id"
        " WHERE healed_at IS NULL AND lost_at IS NULL AND shed_at IS NULL",
    )


def at_rest(stack: Stack, *units: str, timeout: float = 90.0) -> None:
    """Devices off, outboxes empty, agents off."""
    vehicles = [stack.vehicles[unit] for unit in units] or list(stack.vehicles.values())
    for vehicle in vehicles:
        vehicle.simulator.terminate()
    emptied(stack, *[vehicle.unit for vehicle in vehicles], timeout=timeout)
    for vehicle in vehicles:
        vehicle.agent.terminate()


# ---- proof -----------------------------------------------------------------------------------------------------------
class Proof:
    """One test's account: what was broken how often, and what the audit counted afterwards."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.facts: dict[str, Any] = {}
        self.totals: dict[str, int] = {}
        self._began = time.monotonic()

    def note(self, **facts: Any) -> None:
        """Adds a count or a measured figure to the account."""
        self.facts |= facts

    def audit(self, stack: Stack, *, with_ledger: bool = True) -> Audit:
        """``lastmile audit`` over everything; fails the test unless nothing is lost and nothing is stored twice."""
        audit = stack.audit(with_ledger=with_ledger)
        self.totals = audit.report.get("totals", {})
        assert audit.green, audit.text
        assert self.totals["missing"] == self.totals["gone"] == self.totals["duplicates"] == 0, audit.text
        return audit

    def write(self, outcome: str) -> None:
        """Leaves the account in LASTMILE_PROOF_DIR, if there is one."""
        if (folder := os.environ.get("LASTMILE_PROOF_DIR")) is None:
            return
        Path(folder).mkdir(parents=True, exist_ok=True)
        account = {
            "test": self.node,
            "outcome": outcome,
            "full": FULL,
            "at": time.strftime("%Y-%m-%d", time.gmtime()),
            "seconds": round(time.monotonic() - self._began, 1),
            "facts": self.facts,
            "totals": self.totals,
        }
        name = re.sub(r"[^a-zA-Z0-9]+", "-", self.node).strip("-")
        (Path(folder) / f"{name}.json").write_text(json.dumps(account, indent=1) + "\n", "utf-8")
