"""People's moves on the gateway's path, and units of other families; used by the tests beside it."""

import asyncio
from typing import Any

from sqlalchemy.dialects.sqlite import insert

from gateway.adapters import tables
from gateway.care.window import Mode, ServiceWindow
from gateway.contract.quantity import MINUTE
from gateway.contract.topic import UnitAddress, UnitKind
from gateway.moves import PersonsMove, WindowEnd, WindowStart
from gateway.ports import LogMessage
from tests.integration.path_bench import Bench
from tests.unit.gateway.builders import NOW, message

AMBULANCE = UnitAddress("linyi", UnitKind.AMBULANCE, "amb-002")  # live, unlike amb-001
KIOSK = UnitAddress("linyi", UnitKind.HEALTH_KIOSK, "kiosk-1")


def enrol_live(bench: Bench) -> None:
    """A live ambulance and a live kiosk beside the simulated one."""
    for address in (AMBULANCE, KIOSK):
        row = {"id": address.unit, "site": "linyi", "kind": str(address.kind), "name": "A", "provenance": "live",
               "token_hash": "0" * 64, "registered_at": NOW}  # fmt: skip
        bench.write(lambda c, row=row: c.execute(insert(tables.unit).values(row)))
    bench.restart()


def of(address: UnitAddress, body: Any) -> LogMessage:
    return message(0, body, 0, address)


def window(bench: Bench, unit: str, device: str, mode: Mode, minutes: int) -> ServiceWindow:
    return ServiceWindow(
        id=f"w{bench.now}", unit=unit, device=device, mode=mode, reason="王小明 left", started_by="nurse", role="nurse",
        started_at=bench.now, expires_at=bench.now + minutes * MINUTE,
    )  # fmt: skip


def act(bench: Bench, make: Any) -> Any:
    """One person's move through the path: its outcome, or its refusal."""

    async def taken() -> PersonsMove[Any]:
        move: PersonsMove[Any] = make(asyncio.get_running_loop().create_future())
        return move

    move = asyncio.run(taken())
    bench.step(moves=[move])
    move.future.exception()  # looked at: asyncio would tell of it when the future is collected, in some other test
    return move.refusal or move.outcome


def start(bench: Bench, unit: str, device: str, mode: Mode = Mode.CALIBRATION, minutes: int = 10) -> Any:
    return act(bench, lambda future: WindowStart(window(bench, unit, device, mode, minutes), future))


def end(bench: Bench, unit: str, device: str) -> Any:
    return act(bench, lambda future: WindowEnd(unit, device, "ops", future))


def open_rules(bench: Bench) -> list[str]:
    return sorted(alert.rule for alert in bench.book.open)


def actions(bench: Bench) -> list[tuple[Any, ...]]:
    return bench.rows(tables.audit_log, "actor", "action")
