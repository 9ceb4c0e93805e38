"""Bed controller on Modbus: who lies in it, rails, angles, load; moves from afar only while somebody stands beside it.

Holding registers, 16 bits, angles x 0.1 deg::

    0 status bits: 0 occupied, 1 exit alarm, 2 left rail up, 3 right rail up, 4 brake set, 5 CPR, 6 fault
    1 load x 0.1 kg    2 head angle s16    3 knee angle s16    4 height mm    5 tilt s16    6 battery %
    7 bedside bits: 0 remote motion is enabled (key switch), 1 hold-to-run is pressed, 2 the bed moves
    8 part to move (1 head, 2 knee, 3 tilt)    9 target s16    10 longest motion, ms    11 watchdog

Writing 8 to 11 at once starts a motion. It ends at the target, after the longest time, when hold-to-run is let go, or
500 ms after the watchdog was last written with a new value: with the link the motion is lost.

Source: registers 0 to 6 are this project's own profile for simulators (no public register map of a bed was found), 7 to
11 its extension; this table is the definition. Command: ``bed-motion {part: head | knee | tilt, angle: deg}``, half a
second of motion each; it is given again for as long as it is wanted. CPR and flat are for whoever stands at the bed.
"""

from typing import Any, Final

from edge_agents.device import CommandRefused, Order, Reading, Yields
from edge_agents.devices import _orders, _registers
from edge_agents.devices._register_fields import Alarm, Edge, Flag, Number, State, Type
from edge_agents.devices._registers import RegisterDecoder, RegisterMap
from edge_agents.protocol import Modbus, Poll
from gateway.contract.envelope import Instant

KIND: Final = "bed_controller"
STATUS, BEDSIDE, MOTION, WATCHDOG = 0, 7, 8, 11
PROTOCOL: Final = Modbus(polls=(Poll(function=3, address=STATUS, count=8, every=0.5),))
_EXIT: Final = {"alarm": "bed-exit", "priority": "high"}
MAP: Final = RegisterMap(
    function=3,
    numbers=(
        Number(1, "bed-load", divisor=10),
        Number(2, "head-angle", Type.S16, 10),
        Number(3, "knee-angle", Type.S16, 10),
        Number(4, "bed-height"),
        Number(5, "bed-tilt", Type.S16, 10),
        Number(6, "battery"),
    ),
    alarms=(Alarm(STATUS, 1 << 6, 1 << 6, "device-fault"),),
    states=(
        State(
            "bed-state",
            (
                Flag("occupied", STATUS, 0),
                Flag("exit_alarm", STATUS, 1),
                Flag("rail_left_up", STATUS, 2),
                Flag("rail_right_up", STATUS, 3),
                Flag("brake_set", STATUS, 4),
                Flag("cpr", STATUS, 5),
                Flag("fault", STATUS, 6),
                Flag("remote_motion", BEDSIDE, 0),
                Flag("hold_to_run", BEDSIDE, 1),
                Flag("moving", BEDSIDE, 2),
            ),
        ),
    ),
    edges=(
        Edge("occupied", True, "bed-occupied"),
        Edge("occupied", False, "bed-exit"),
        Edge("exit_alarm", True, "device-alarm-on", _EXIT),
        Edge("exit_alarm", False, "device-alarm-off", _EXIT),
        Edge("rail_left_up", True, "rail-up", {"rail": "left"}),
        Edge("rail_left_up", False, "rail-down", {"rail": "left"}),
        Edge("rail_right_up", True, "rail-up", {"rail": "right"}),
        Edge("rail_right_up", False, "rail-down", {"rail": "right"}),
        Edge("brake_set", True, "brake-set"),
        Edge("brake_set", False, "brake-released"),
        Edge("cpr", True, "cpr-on"),
        Edge("cpr", False, "cpr-off"),
    ),
)
COMMANDS: Final = ("bed-motion",)
YIELDS: Final = Yields(quantities=MAP.quantities, events=MAP.events, conditions=MAP.conditions, commands=COMMANDS)

PARTS: Final = {"head": 1, "knee": 2, "tilt": 3}
SAFE_ANGLES: Final = {"head": (0.0, 70.0), "knee": (0.0, 40.0), "tilt": (-12.0, 12.0)}  # defaults of this project
AT_THE_BED_ONLY: Final = ("bed-cpr", "bed-flat")
LONGEST_MS: Final = 1000
WATCHDOG_MS: Final = 500
YOUNG: Final = 2_000_000  # us: how old the status may be by which a motion is judged
LYING: Final = 10.0  # kg: what lies in an empty bed weighs less, nobody who is in it does


def encode(reading: Reading) -> bytes:
    """A poll's answer. Raises ValueError when the map has no place for the reading."""
    return MAP.encode(reading)


class Decoder(RegisterDecoder):
    """Answers of a bed; judge of its motions."""

    table = MAP

    def __init__(self) -> None:
        super().__init__()
        self._motions = 0

    def order(self, name: str, arguments: dict[str, Any], now: Instant) -> Order:
        """See edge_agents.device.Commanded."""
        if name in AT_THE_BED_ONLY:
            raise CommandRefused(_orders.LOCAL_ONLY)
        if name not in COMMANDS:
            raise CommandRefused(_orders.UNKNOWN)
        _orders.only(arguments, "part", "angle")
        part = _orders.word(arguments["part"], PARTS)
        angle = _orders.number(arguments["angle"], *SAFE_ANGLES[part])
        unit = self._known_unit(now, YOUNG)
        self._check_bedside()
        self._motions = self._motions % 0xFFFF + 1  # a new value for the watchdog
        target = round(10 * angle)
        words = [PARTS[part], target & 0xFFFF, LONGEST_MS, self._motions]
        return _registers.order(unit, MOTION, words, {"part": part, "angle": target / 10, "for_ms": WATCHDOG_MS})

    def _check_bedside(self) -> None:
        """Raises CommandRefused unless somebody at the bed lets it move, and it is safe for whoever lies in it."""
        state = self._states.get("bed-state")
        if state is None:
            raise CommandRefused(_orders.STALE)
        if not state["remote_motion"]:
            raise CommandRefused("remote-motion-disabled")
        if not state["hold_to_run"]:
            raise CommandRefused("hold-to-run-released")
        if state["fault"]:
            raise CommandRefused("device-fault")
        if state["cpr"]:
            raise CommandRefused(_orders.LOCAL_ONLY)
        if not state["brake_set"]:
            raise CommandRefused("brake-released")
        load = self._values.get("bed-load")
        if load is None or state["occupied"] is not (load >= LYING):
            raise CommandRefused("occupancy-unclear")
        if state["occupied"] and not (state["rail_left_up"] and state["rail_right_up"]):
            raise CommandRefused("rail-down")
