"""Alternating-pressure mattress on Modbus: pressures, mode, alarms; takes commands inside safe limits.

Holding registers, 16 bits unless noted::

    0 mode (0 off, 1 static, 2 alternate, 3 CPR)     5 running time u32, h
    1 pressure x 0.1 kPa                             7 alarm limit of low pressure x 0.1 kPa
    2 set pressure x 0.1 kPa                         8 alarm limit of high pressure x 0.1 kPa
    3 cycle, min
    4 alarm bits: 0 pressure low, 1 mains lost, 2 pump, 3 pressure high

Source: this project's own profile for simulators (no public register map of a mattress was found); this table is its
definition. Commands: ``set-mattress-mode {mode: static | alternate}``, ``set-mattress-pressure {pressure: kPa}``,
``set-alarm-limit {limit: pressure-low | pressure-high, value: kPa}``. Off and CPR, and the way back from them, are for
whoever stands at the bed.
"""

from typing import Any, Final

from edge_agents.device import CommandRefused, Order, Reading, Yields
from edge_agents.devices import _orders, _registers
from edge_agents.devices._register_fields import Choice, Level, Number, State, Type, alarm_bits
from edge_agents.devices._registers import RegisterDecoder, RegisterMap
from edge_agents.protocol import Modbus, Poll
from gateway.contract.envelope import Instant

KIND: Final = "mattress"
MODE, SET_PRESSURE, LOW_LIMIT, HIGH_LIMIT = 0, 2, 7, 8  # registers that can be written
MODES: Final = {0: "off", 1: "static", 2: "alternate", 3: "cpr"}
REMOTE_MODES: Final = ("static", "alternate")
PROTOCOL: Final = Modbus(polls=(Poll(function=3, address=0, count=9, every=1.0),))
MAP: Final = RegisterMap(
    function=3,
    numbers=(
        Number(1, "mattress-pressure", divisor=10),
        Number(SET_PRESSURE, "mattress-set-pressure", divisor=10),
        Number(3, "mattress-cycle"),
        Number(5, "running-time", Type.U32),
    ),
    alarms=alarm_bits(4, "pressure-low", "mains-lost", "pump-fault", "pressure-high"),
    states=(
        State(
            "mattress-state",
            (
                Choice("mode", MODE, MODES),
                Level("pressure_low_limit", LOW_LIMIT, 10),
                Level("pressure_high_limit", HIGH_LIMIT, 10),
            ),
        ),
    ),
)
COMMANDS: Final = ("set-mattress-mode", "set-mattress-pressure", "set-alarm-limit")
YIELDS: Final = Yields(quantities=MAP.quantities, events=MAP.events, conditions=MAP.conditions, commands=COMMANDS)
MARGIN: Final = 0.5  # kPa that an alarm limit keeps from the set pressure
LOWEST_LIMIT: Final = 1.0  # kPa; an alarm cannot be set so far off that it never sounds
HIGHEST_LIMIT: Final = 10.0
YOUNG: Final = 10_000_000  # us: how old the status may be by which a command is judged


def encode(reading: Reading) -> bytes:
    """A poll's answer. Raises ValueError when the map has no place for the reading."""
    return MAP.encode(reading)


class Decoder(RegisterDecoder):
    """Answers of a mattress; judge of its commands."""

    table = MAP

    def __init__(self, lowest_pressure: float = 2.0, highest_pressure: float = 8.0) -> None:
        """The pressures in kPa between which a site lets the set pressure be moved from afar."""
        if not 0 < lowest_pressure < highest_pressure <= HIGHEST_LIMIT - MARGIN:
            raise ValueError(f"expected 0 < lowest_pressure < highest_pressure <= {HIGHEST_LIMIT - MARGIN}")
        super().__init__()
        self._lowest, self._highest = lowest_pressure, highest_pressure

    def order(self, name: str, arguments: dict[str, Any], now: Instant) -> Order:
        """See edge_agents.device.Commanded."""
        if name not in COMMANDS:
            raise CommandRefused(_orders.UNKNOWN)
        unit = self._known_unit(now, YOUNG)
        state = self._states.get("mattress-state")
        if state is None or state["mode"] not in REMOTE_MODES:
            raise CommandRefused(_orders.LOCAL_ONLY)  # off or CPR: somebody decided so at the bed
        if name == "set-mattress-mode":
            return _set_mode(unit, arguments)
        if name == "set-mattress-pressure":
            _orders.only(arguments, "pressure")
            low = max(self._lowest, state["pressure_low_limit"] + MARGIN)
            high = min(self._highest, state["pressure_high_limit"] - MARGIN)
            return _set(unit, SET_PRESSURE, "pressure", _orders.number(arguments["pressure"], low, high))
        return self._set_limit(unit, arguments)

    def _set_limit(self, unit: int, arguments: dict[str, Any]) -> Order:
        _orders.only(arguments, "limit", "value")
        limit = _orders.word(arguments["limit"], ("pressure-low", "pressure-high"))
        pressure = self._values.get("mattress-set-pressure")
        if pressure is None:
            raise CommandRefused(_orders.STALE)
        if limit == "pressure-low":
            value = _orders.number(arguments["value"], LOWEST_LIMIT, pressure - MARGIN)
            return _set(unit, LOW_LIMIT, "value", value, limit=limit)
        value = _orders.number(arguments["value"], pressure + MARGIN, HIGHEST_LIMIT)
        return _set(unit, HIGH_LIMIT, "value", value, limit=limit)


def _set_mode(unit: int, arguments: dict[str, Any]) -> Order:
    _orders.only(arguments, "mode")
    mode = _orders.word(arguments["mode"], MODES.values())
    if mode not in REMOTE_MODES:
        raise CommandRefused(_orders.LOCAL_ONLY)
    code = next(code for code, word in MODES.items() if word == mode)
    return _registers.order(unit, MODE, [code], {"mode": mode})


def _set(unit: int, address: int, name: str, value: float, **result: Any) -> Order:
    word = round(10 * value)
    return _registers.order(unit, address, [word], {**result, name: word / 10})
