"""Scenarios: what happens to one simulated vehicle, as typed TOML with truth labels.

All times are seconds of elapsed time. With ``cycle`` the timeline starts again after so many seconds.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from edge_agents.devices.crew_panel import BUTTONS
from edge_agents.devices.patient_monitor import SENSORS
from firmware_sims.condition import NUMBERS, Condition, Rhythm
from firmware_sims.motion import Motion

FOLDER: Final = Path(__file__).parent / "scenarios"
NOT_FOR_SIMULATORS: Final = frozenset({"duration", "start", "alerts", "truth"})  # of `lastmile scenario run`
ELECTRODES: Final = frozenset({"RA", "LA", "LL", "V1", "V2", "V3", "V4", "V5", "V6"})
SECOND: Final = 1_000_000

Seconds = Annotated[float, msgspec.Meta(ge=0)]


class ScenarioError(ValueError):
    """The scenario cannot be used; the text says why."""


class Rates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often the devices speak; 0 or false = never."""

    ecg: bool = True
    pleth: bool = True
    vitals_hz: Annotated[float, msgspec.Meta(ge=0, le=5000)] = 1.0
    nibp_first: Seconds = 20.0
    nibp_every: Seconds = 300.0
    gnss_hz: Annotated[float, msgspec.Meta(ge=0, le=10)] = 1.0


class Episode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From ``at`` on, over ``over`` seconds, the named parameters move to the named values and stay there."""

    at: Seconds
    over: Seconds = 0.0
    set: dict[str, float] = {}  # fields of Condition
    rhythm: Rhythm | None = None


class SensorOff(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sensors that are off the patient between ``at`` and ``until``: ECG electrodes, spo2, temperature, resp, gnss."""

    at: Seconds
    until: Seconds
    sensors: frozenset[str]


class Press(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A crew button."""

    at: Seconds
    button: str
    details: dict[str, str] = {}


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From ``at`` on a device is in the state named (its simulator knows the names); numbers take ``over`` seconds."""

    at: Seconds
    device: str
    set: dict[str, Any]
    over: Seconds = 0.0


class Course(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Route as (latitude, longitude), WGS-84, and speed profile as (s, km/h) corners; altitude in m."""

    route: list[tuple[float, float]]
    profile: list[tuple[float, float]]
    altitude: float = 50.0
    spread: bool = True  # units of different seed start at different points of the profile


STANDING: Final = Course(route=[(36.6510, 117.1201), (36.6511, 117.1201)], profile=[(0, 0), (60, 0)], spread=False)


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of firmware_sims/scenarios."""

    title: str
    profile: str = "ambulance"
    devices: list[str] = []  # of the profile; empty = all
    cycle: Seconds = 0.0
    rates: Rates = Rates()
    patient: Condition = Condition()
    motion: Course = STANDING
    step: list[Step] = []
    episode: list[Episode] = []
    sensor_off: list[SensorOff] = []
    button: list[Press] = []


def find(name: str) -> Path:
    """The file ``name``, or that of the scenario of this package with this bare name."""
    path = Path(name)
    return path if path.suffix or path.exists() else FOLDER / f"{name}.toml"


def load(name: str) -> Scenario:
    """What a scenario's file, TOML or JSON, says of one unit; what it says of the truth is not even looked at.

    Raises:
        ScenarioError: no such file, not TOML, an unknown key, or values that make no sense.
    """
    path = find(name)
    try:
        text = path.read_text("utf-8")
        tables = msgspec.json.decode(text) if path.suffix == ".json" else tomllib.loads(text)
        return parse({key: value for key, value in tables.items() if key not in NOT_FOR_SIMULATORS})
    except (OSError, ValueError) as error:  # TOMLDecodeError and ValidationError are ValueErrors
        raise ScenarioError(f"{path}: {error}") from error


def parse(tables: dict[str, Any]) -> Scenario:
    """The scenario of one unit.

    Raises:
        ValueError: an unknown key, or values that make no sense; ends with the place, as in "- at `$.step[2].at`".
    """
    scenario = msgspec.convert(tables, Scenario)
    _check(scenario)
    return scenario


def names() -> list[str]:
    """Scenarios that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def _check(scenario: Scenario) -> None:
    try:
        Motion(scenario.motion.route, scenario.motion.profile)
    except ValueError as error:
        raise ValueError(f"{error} - at `$.motion`") from error
    sensors = ELECTRODES | set(SENSORS.values()) | {"gnss"}
    for number, off in enumerate(scenario.sensor_off):
        if strange := sorted(off.sensors - sensors):
            raise ValueError(
                f"unknown {strange}, expected some of {sorted(sensors)} - at `$.sensor_off[{number}].sensors`"
            )
        if off.until <= off.at:
            raise ValueError(f"expected a time after {off.at} - at `$.sensor_off[{number}].until`")
    for number, episode in enumerate(scenario.episode):
        if strange := sorted(episode.set.keys() - set(NUMBERS)):
            raise ValueError(f"unknown {strange}, expected some of {sorted(NUMBERS)} - at `$.episode[{number}].set`")
    for number, press in enumerate(scenario.button):
        if press.button not in BUTTONS.values():
            raise ValueError(f"the panel has no {press.button!r} - at `$.button[{number}].button`")
    if scenario.cycle and _last(scenario) > scenario.cycle:
        raise ValueError("something lies after the end of the cycle - at `$.cycle`")


def _last(scenario: Scenario) -> float:
    ends = [episode.at + episode.over for episode in scenario.episode]
    ends += [step.at + step.over for step in scenario.step]
    ends += [off.until for off in scenario.sensor_off] + [press.at for press in scenario.button]
    return max(ends, default=0.0)


class Timeline:
    """A scenario's patient and sensors as functions of elapsed us."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._episodes = sorted(scenario.episode, key=lambda episode: episode.at)
        self._steps: dict[str, list[Step]] = {}
        for step in sorted(scenario.step, key=lambda step: step.at):
            self._steps.setdefault(step.device, []).append(step)
        self._settled: tuple[float, float, Condition] = (0.0, -1.0, scenario.patient)

    def condition_at(self, elapsed: int) -> Condition:
        """How the patient is."""
        t = self._local(elapsed)
        since, until, condition = self._settled
        if since <= t < until:
            return condition
        return self._compute(t)

    def off_at(self, elapsed: int) -> frozenset[str]:
        """Sensors that are off."""
        t = self._local(elapsed)
        return frozenset[str]().union(*(off.sensors for off in self._scenario.sensor_off if off.at <= t < off.until))

    def device_at(self, device: str, elapsed: int) -> dict[str, Any]:
        """What steps have set on a device by then; a number on its way is in between."""
        t = self._local(elapsed)
        state: dict[str, Any] = {}
        for step in self._steps.get(device, ()):
            if step.at > t:
                break
            share = 1.0 if t >= step.at + step.over else (t - step.at) / step.over
            state |= {name: _between(state.get(name), value, share) for name, value in step.set.items()}
        return state

    def _local(self, elapsed: int) -> float:
        t = elapsed / SECOND
        return t % self._scenario.cycle if self._scenario.cycle else t

    def _compute(self, t: float) -> Condition:
        """Applies the episodes in order; remembers the result until the next episode when nothing moves."""
        state: dict[str, Any] = msgspec.structs.asdict(self._scenario.patient)
        moving, since, until = False, 0.0, float("inf")
        for episode in self._episodes:
            if episode.at > t:
                until = episode.at
                break
            share = 1.0 if t >= episode.at + episode.over else (t - episode.at) / episode.over
            moving = moving or share < 1.0
            since = max(since, episode.at + episode.over)
            for name, value in episode.set.items():
                state[name] += share * (value - state[name])
            if episode.rhythm is not None:
                state["rhythm"] = episode.rhythm
        condition = Condition(**state)
        if not moving:
            self._settled = (since, until, condition)
        return condition


def _between(old: Any, new: Any, share: float) -> Any:
    """``new``, or for numbers what lies ``share`` of the way from ``old``; a first value holds at once."""
    numbers = [type(value) in {int, float} for value in (old, new)]
    return old + share * (new - old) if all(numbers) and share < 1.0 else new
