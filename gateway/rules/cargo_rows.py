"""Alerts of a van's cargo. Which limits count depends on the set point: 2-8 degC goods, or goods at room temperature.

Without a set point the cargo is taken for cold goods. Passive boxes of other goods: the site's ``alerts.toml``.
"""

from typing import Final

from gateway.contract.quantity import MINUTE
from gateway.contract.topic import UnitKind
from gateway.rules.condition import Combined, Direction, Part, Threshold
from gateway.rules.row import Kind, Ladder, Priority, Row

PROBES: Final = tuple(str(n) for n in range(1, 9))
_CARGO: Final = "cargo-temperature-*"
_COLD_UP_TO, _ROOM_FROM = 8, 15  # degC of the set point
_HYSTERESIS: Final = 0.5  # degC, domain facts 2.4
_COLD_SOURCE: Final = "cold goods 2-8 degC, a door may stand open for 10 min: domain facts 8"
_ROOM_SOURCE: Final = "dialysis fluid and other room-temperature goods: domain facts 10.6"


def _row(  # noqa: PLR0913 - a row of the table below
    code: str, zh: str, en: str, direction: Direction, limit: float, minutes: int, *,
    cold: bool, critical: bool = False, inclusive: bool = False, inhibited_by: tuple[str, ...] = (),
) -> Row:  # fmt: skip
    point = (
        Part(Threshold("set-point-temperature", Direction.BELOW, _COLD_UP_TO, 0, 0, 0, inclusive=True), unknown=True)
        if cold
        else Part(Threshold("set-point-temperature", Direction.ABOVE, _ROOM_FROM, 0, 0, 0, inclusive=True))
    )
    cargo = Part(Threshold(_CARGO, direction, limit, _HYSTERESIS, 0, 0, inclusive=inclusive))
    return Row(
        code, Kind.TECHNICAL, Priority.HIGH if critical else Priority.MEDIUM, _COLD_SOURCE if cold else _ROOM_SOURCE,
        Combined((cargo, point), every=True, for_=minutes * MINUTE, clear_for=5 * MINUTE),
        latching=True, zh=zh, en=en, places=frozenset({UnitKind.DELIVERY_VAN}), probes=PROBES, ladder=Ladder.CARGO,
        inhibited_by=inhibited_by,
    )  # fmt: skip


CARGO: Final = (
    _row("cargo-warm", "冷链温度偏高", "Cold cargo above 8 degC", Direction.ABOVE, 8, 10, cold=True,
         inhibited_by=("cargo-hot",)),
    _row("cargo-cold", "冷链温度偏低", "Cold cargo below 2 degC", Direction.BELOW, 2, 10, cold=True,
         inhibited_by=("cargo-frozen",)),
    _row("cargo-hot", "冷链温度严重超标", "Cold cargo above 15 degC", Direction.ABOVE, 15, 2, cold=True, critical=True),
    _row("cargo-frozen", "冷链货物可能冻结", "Cold cargo at 0 degC or below", Direction.BELOW, 0, 2, cold=True,
         critical=True, inclusive=True),
    _row("room-cargo-warm", "常温货物温度偏高", "Room-temperature cargo over 30 degC", Direction.ABOVE, 30, 60,
         cold=False, inhibited_by=("room-cargo-hot",)),
    _row("room-cargo-cold", "常温货物温度偏低", "Room-temperature cargo under 5 degC", Direction.BELOW, 5, 30,
         cold=False, inhibited_by=("room-cargo-frozen",)),
    _row("room-cargo-hot", "常温货物严重过热", "Room-temperature cargo at 40 degC or above", Direction.ABOVE, 40, 2,
         cold=False, critical=True, inclusive=True),
    _row("room-cargo-frozen", "常温货物可能冻结", "Room-temperature cargo at 0 degC or below", Direction.BELOW, 0, 2,
         cold=False, critical=True, inclusive=True),
)  # fmt: skip
