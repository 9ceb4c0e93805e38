"""Simulated ventilator that supports the patient's own breaths, and answers what it is asked over MEDIBUS.

Names: ``on`` (false at first), ``tidal_volume`` (mL), ``peep`` and ``support`` (cm[H2O]), ``fio2`` (%), ``etco2``
(mm[Hg]), ``disconnected`` (true or false), and ``conditions``, a list of technical conditions. The breathing rate is
the patient's; apnoea and a rate over 35 /min are alarms. It measures once a second, and answers the question for
measured values when it has measured next.
"""

import random
from collections.abc import Iterator
from typing import Any, Final

from edge_agents.device import Occurrence, Reading
from edge_agents.devices import ventilator
from edge_agents.devices._medibus import IDENTIFY, IDLE, INITIALISE, Frame, FrameBuffer, command, response
from edge_agents.devices.ventilator import ABSENT, MEASURED, Decoder
from firmware_sims.devices._spot import patient_at
from firmware_sims.devices._steps import occurrence, while_on
from firmware_sims.physiology import Patient
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "control", "encode", "opening", "readings"]

_STATE: Final = "ventilator"  # what is handed on from `readings` to `encode`: values, conditions and alarms of a second
_USUAL: Final = {"tidal_volume": 450.0, "peep": 5.0, "support": 10.0, "fio2": 40.0, "etco2": 38.0}
_THROUGH_THE_LUNG: Final = ("tidal-volume", "minute-volume", "resp-rate", "etco2")
_FAST: Final = 35.0  # /min
_IDLE_AFTER: Final = 2  # s without a question


def encode(reading: Reading, _number: int) -> bytes:
    """All three answers of a second: measured values, and both pages of alarms."""
    assert isinstance(reading, Occurrence)
    told = reading.details
    values = ventilator.measured(told["values"], dict.fromkeys(told["values"], ABSENT))
    return values + ventilator.alarms(told["conditions"], told["alarms"])


class _Line:
    """What the ventilator knows of the other side."""

    def __init__(self) -> None:
        self.frames = FrameBuffer()
        self.linked = False
        self.asked = False  # for measured values
        self.idle = 0  # s
        self.answers: dict[int, bytes] = {}


def opening(world: World, frame: bytes) -> bytes:
    """Once a second: the measured values if they were asked for; else that it wants to talk, or that it is idle."""
    line = _line(world)
    line.answers = {item.code: item.raw for item in FrameBuffer().feed(frame) if isinstance(item, Frame)}
    if not line.linked:
        return command(INITIALISE)
    if line.asked:
        line.asked, line.idle = False, 0
        return line.answers[MEASURED]
    line.idle += 1
    return command(IDLE) if line.idle % _IDLE_AFTER == 0 else b""


def control(world: World, elapsed: int, data: bytes) -> tuple[bytes, ...]:
    """Answers commands; b"" is a reader that has just connected. Nothing while it is switched off."""
    if not data:
        world.state[_STATE] = _Line()
    if not world.told(elapsed).get("on"):
        return ()
    line = _line(world)
    heard = [item for item in line.frames.feed(data) if isinstance(item, Frame)]
    return tuple(answer for item in heard for answer in _answers(line, item))


def _answers(line: _Line, item: Frame) -> tuple[bytes, ...]:
    if item.code == INITIALISE:
        line.linked = True
        who = command(IDENTIFY)
        return (response(INITIALISE), who) if item.is_command else (who,)
    if not item.is_command:
        return ()
    if item.code == MEASURED:
        line.asked = True
        return ()
    return (line.answers.get(item.code, response(item.code)),)


def _line(world: World) -> _Line:
    line = world.state.setdefault(_STATE, _Line())
    assert isinstance(line, _Line)
    return line


def readings(world: World) -> Iterator[Timed]:
    """Everything it has to say of a second, every second while it is on."""
    noise = random.Random(world.device_seed)
    patient = Patient(world.seed, world.timeline.condition_at)
    for due in while_on(world, 1.0, "on"):
        patient_at(patient, due)
        told = world.told(due)
        yield occurrence(world, due, _STATE, _second(told, patient.vitals()["resp-rate"] or 0.0, noise))


def _second(told: dict[str, Any], rate: float, noise: random.Random) -> dict[str, Any]:
    get = {name: float(told.get(name, usual)) for name, usual in _USUAL.items()}
    volume = max(0.0, get["tidal_volume"] * (1 + noise.gauss(0, 0.03)))
    values: dict[str, float | None] = {
        "tidal-volume": volume,
        "minute-volume": volume * rate / 1000,
        "peak-airway-pressure": get["peep"] + get["support"] + noise.gauss(0, 0.4),
        "peep": get["peep"] + noise.gauss(0, 0.1),
        "fio2": get["fio2"],
        "resp-rate": rate,
        "etco2": get["etco2"] + noise.gauss(0, 0.5),
    }
    conditions = set(told.get("conditions", ()))
    if told.get("disconnected"):
        conditions.add("disconnected-circuit")
        values |= {"peak-airway-pressure": 0.0, "peep": 0.0} | dict.fromkeys(_THROUGH_THE_LUNG)
    alarms = () if told.get("disconnected") else _alarms(rate)
    return {"values": values, "conditions": sorted(conditions), "alarms": list(alarms)}


def _alarms(rate: float) -> tuple[str, ...]:
    return ("apnoea",) if not rate else ("resp-rate-high",) if rate > _FAST else ()
