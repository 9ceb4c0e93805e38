"""What devices switch on and off themselves: leads, and technical conditions. The last word by event time counts.

A switch is remembered also while the device is in service mode and nothing is raised for it: what is still on when
service ends is raised then. Its state is kept like a rule's clock, so a restart forgets nothing.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from gateway.contract.condition import CONDITIONS, EVENT
from gateway.contract.envelope import RESERVED_DEVICE, Instant
from gateway.contract.quantity import HOUR, SECOND
from gateway.contract.topic import ID_PATTERN
from gateway.rules import tags
from gateway.rules.catalogue import CATALOGUE
from gateway.rules.hold import Edge, Hold
from gateway.rules.row import Kind, Priority
from gateway.rules.sign_rows import RHYTHM
from gateway.rules.threshold import Finding

LEAD_OFF: Final = "lead-off"
SILENT: Final = "device-silent"  # said by the agent itself of a device behind it
SILENT_ROW: Final = "link-fault"
AGENT: Final = "agent"  # the device name of the agent's own events
UNNAMED: Final = "device-fault"  # the row of a condition that this program has no row for
OUTLASTED: Final = {LEAD_OFF: "lead-off-long", "sensor-off": "sensor-off-long"}  # after ``LASTING`` it is graver
LASTING: Final = 60 * SECOND  # domain facts 2.4
LONGEST_PART: Final = 64
RHYTHM_EVENT: Final = "rhythm"  # of a detector of ours: its details name the row and say whether it begins or ends
ST_EVENT: Final = "st-criteria"
BED_EXIT: Final = "bed-exit"
ECG_READ: Final = "ecg-read"
DEVICE_ALARM: Final = "device-alarm"  # of a name that no row has
DEVICE_ALARMS: Final = {"device-alarm-on": True, "device-alarm-off": False}
_PRIORITIES: Final[dict[str | None, Priority | None]] = {None: None} | {str(one): one for one in Priority}
RHYTHMS: Final = frozenset(row.code for row in RHYTHM)
CODES: Final = frozenset({LEAD_OFF, BED_EXIT, *RHYTHMS, *CONDITIONS})
_LEADS: Final = {"lead-off": True, "lead-on": False}
# Events that tell of one part of what is behind a device: (code, on, the detail that names the part)
PARTS: Final = {
    "sensor-off": ("sensor-off", True, "sensor"),
    "sensor-on": ("sensor-off", False, "sensor"),
    "beacon-silent": ("beacon-silent", True, "id"),
    "beacon-seen-again": ("beacon-silent", False, "id"),
}
# Events that tell of a person: (row, on, happens at an instant). Of a bed any of its sensors may speak.
SIGNS: Final = {
    "bed-exit": (BED_EXIT, True, False),
    "bed-return": (BED_EXIT, False, False),
    "bed-occupied": (BED_EXIT, False, False),
    "tip-over": ("tip-over", True, True),
    "help-button": ("help-button", True, True),
}
# How long after it happened an event still pages; one that is not named here is a state, which may still last.
_VALIDITY: Final = {
    **dict.fromkeys(tags.EVENTS, tags.VALIDITY),
    **dict.fromkeys(SIGNS, HOUR),  # a fall: domain facts 10.1
    RHYTHM_EVENT: 30 * SECOND,  # as the ECG it was found in: domain facts 10.1
    ST_EVENT: HOUR,  # a tracing is worth reading for longer than a rhythm is worth a page: project default
}


def event_validity(name: str) -> int | None:
    """How late an event may come and still page, us; None where that is not judged."""
    return _VALIDITY.get(name)


class BadCondition(ValueError):
    """A condition event that does not say what is wrong, or whether it began or ended."""


class Report(msgspec.Struct, frozen=True):
    """What an event says of one switch."""

    code: str
    part: str
    on: bool
    device: str = ""  # whom the agent or a detector speaks of; "" = who says it
    detected: bool = False  # by a detector of ours
    of_unit: bool = False  # it is about the person the unit speaks for, whichever device says it
    instant: bool = False  # it happens and does not last
    priority: Priority | None = None  # what the device gives its own alarm; None = the row's
    details: dict[str, Any] = {}

    def subject(self, unit: str, device: str) -> str:
        """What the alert is about."""
        return f"unit/{unit}" if self.of_unit else subject_of(unit, self.device or device, self.part)


def read_report(name: str, details: dict[str, Any]) -> Report | None:
    """The switch an event moves; None when it moves none.

    A code this program does not know is a fault of the device all the same; its name becomes the part.

    Raises:
        BadCondition: a condition without code or state, a silence without device or state.
    """
    if name in _LEADS:
        return Report(LEAD_OFF, "", _LEADS[name])
    if name in PARTS:
        code, on, key = PARTS[name]
        return Report(code, str(details.get(key, ""))[:LONGEST_PART], on)
    if name in SIGNS:
        code, on, instant = SIGNS[name]
        return Report(code, "", on, of_unit=code == BED_EXIT, instant=instant, details=details)
    if name in DEVICE_ALARMS:
        return _read_alarm(details, on=DEVICE_ALARMS[name])
    read = _READERS.get(name)
    return None if read is None else read(details)


def _read_condition(details: dict[str, Any]) -> Report:
    code, state, part = details.get("code"), details.get("state"), details.get("part", "")
    if not (isinstance(code, str) and 0 < len(code) <= LONGEST_PART and state in ("on", "off")):
        raise BadCondition(f"code {code!r:.80}, state {state!r:.80}")
    part = str(part)[:LONGEST_PART]
    if code not in CONDITIONS:
        code, part = UNNAMED, f"{code}/{part}" if part else code
    return Report(code, part, state == "on")


def _read_silence(details: dict[str, Any]) -> Report:
    device, state = details.get("device"), details.get("state")
    if not (isinstance(device, str) and re.fullmatch(ID_PATTERN, device) and state in ("silent", "speaking")):
        raise BadCondition(f"device {device!r:.80}, state {state!r:.80}")
    return Report(SILENT_ROW, "", state == "silent", device)


def _read_rhythm(details: dict[str, Any]) -> Report:
    code, state, device = details.get("code"), details.get("state"), details.get("device")
    if not (code in RHYTHMS and isinstance(code, str) and isinstance(device, str) and state in ("on", "off")):
        raise BadCondition(f"code {code!r:.80}, state {state!r:.80}, device {device!r:.80}")
    return Report(code, "", state == "on", device, detected=True, of_unit=True, details=details)


def _read_st(details: dict[str, Any]) -> Report:
    device = details.get("device")
    if not isinstance(device, str):
        raise BadCondition(f"device {device!r:.80}")
    return Report(ECG_READ, "", True, device, detected=True, of_unit=True, instant=True, details=details)


def _read_alarm(details: dict[str, Any], *, on: bool) -> Report:
    """A device's own alarm is primary: told as the device says it, under the row of the same name if there is one."""
    alarm, priority = details.get("alarm"), details.get("priority")
    if not (isinstance(alarm, str) and 0 < len(alarm) <= LONGEST_PART and priority in _PRIORITIES):
        raise BadCondition(f"alarm {alarm!r:.80}, priority {priority!r:.80}")
    told = {**details, "source": "device"}
    row = CATALOGUE.get(alarm)
    known = row is not None and row.kind is Kind.PHYSIOLOGICAL
    code, part = (alarm, "") if known else (DEVICE_ALARM, alarm)
    return Report(code, part, on, priority=_PRIORITIES[priority], details=told)


_READERS: Final[dict[str, Callable[[dict[str, Any]], Report]]] = {
    EVENT: _read_condition,
    SILENT: _read_silence,
    RHYTHM_EVENT: _read_rhythm,
    ST_EVENT: _read_st,
}


def subject_of(unit: str, device: str, part: str) -> str:
    """What the alert is about: one for each part of a device."""
    return f"device/{unit}/{device}/{part}" if part else f"device/{unit}/{device}"


class Switches:
    """Every switch ever moved. ``dirty``: those to be written with the next commit."""

    def __init__(self) -> None:
        self._states: dict[tuple[str, str], Hold] = {}
        self._dirty: set[tuple[str, str]] = set()
        self._faults: set[tuple[str, str]] = set()  # those of ``OUTLASTED``

    def restore(self, subject: str, code: str, state: Hold) -> None:
        """A switch as it was when the gateway stopped."""
        self._keep((subject, code), state)

    @staticmethod
    def owns(subject: str, code: str) -> bool:
        """Whether the state of (subject, code) is a switch's, and not that of a rule on values."""
        return code in CODES or subject.startswith("device/")

    def knows(self, subject: str, code: str) -> bool:
        return (subject, code) in self._states

    def move(self, unit: str, device: str, report: Report, at: Instant, simulated: bool) -> Finding | None:
        """The finding the report makes; None when a later report is known already.

        Only the agent may speak of another device, and only a detector of ours of the person.
        """
        if report.device and device != (RESERVED_DEVICE if report.detected else AGENT):
            return None
        subject, device = report.subject(unit, device), report.device or device
        if report.instant:
            details = report.details
            return Finding(CATALOGUE[report.code], Edge.RAISE, subject, unit, device, at, details=dict(details),
                           simulated=simulated)  # fmt: skip
        key = (subject, report.code)
        before = self._states.get(key)
        if before is not None and at < before.last_at:
            return None
        since = _begun(before) if before is not None and before.firing else at
        self._keep(key, Hold(firing=report.on, since=since if report.on else None, last_at=at))
        self._dirty.add(key)
        finding = _finding(key, unit, device, report.on, at, simulated, report.details)
        if report.priority is None:
            return finding
        return msgspec.structs.replace(finding, row=msgspec.structs.replace(finding.row, priority=report.priority))

    def outlast(
        self, now: Instant, simulated: Callable[[str], bool], here: Callable[[str, str], bool]
    ) -> list[Finding]:
        """What has been on for so long that it is graver, or is off again. Call it about once a second.

        ``here``: whether a row counts at a unit.
        """
        found = []
        for subject, code in sorted(self._faults):
            state, graver = self._states[subject, code], (subject, OUTLASTED[code])
            unit, device = subject.split("/")[1:3]
            due = _begun(state) + LASTING
            lasts = state.firing and now >= due and here(unit, graver[1])
            if lasts is not self._is_on(graver):
                at = due if lasts else max(state.last_at, self._states[graver].last_at)
                self._keep(graver, Hold(firing=lasts, since=at if lasts else None, last_at=at))
                self._dirty.add(graver)
                found.append(_finding(graver, unit, device, lasts, at, simulated(unit)))
        return found

    def _keep(self, key: tuple[str, str], state: Hold) -> None:
        self._states[key] = state
        if key[1] in OUTLASTED:
            self._faults.add(key)

    def standing(self, unit: str, device: str | None, at: Instant, simulated: bool) -> list[Finding]:
        """What is on now at a device (None: at every device of the unit), as findings that raise it anew."""
        prefix = f"device/{unit}/" if device is None else f"device/{unit}/{device}"
        found = []
        for key, state in self._states.items():
            subject = key[0]
            if state.firing and (subject == prefix or subject.startswith(prefix.rstrip("/") + "/")):
                found.append(_finding(key, unit, subject.split("/")[2], True, at, simulated))
        return found

    def is_on(self, unit: str, device: str, code: str) -> bool:
        """Whether a device, or the agent for it, has said so last."""
        return self._is_on((subject_of(unit, device, ""), code))

    def _is_on(self, key: tuple[str, str]) -> bool:
        state = self._states.get(key)
        return state is not None and state.firing

    def rhythms(self, unit: str) -> list[str]:
        """The rhythms that were told of the unit and have not ended."""
        states, subject = self._states, f"unit/{unit}"
        return [code for code in sorted(RHYTHMS) if (held := states.get((subject, code))) is not None and held.firing]

    def take_dirty(self) -> list[tuple[str, str, Hold]]:
        """The switches moved since the last call."""
        changed = [(subject, code, self._states[subject, code]) for subject, code in sorted(self._dirty)]
        self._dirty.clear()
        return changed


def _begun(state: Hold) -> Instant:
    """When it went on, as far as is known."""
    return state.last_at if state.since is None else state.since


def _finding(
    key: tuple[str, str], unit: str, device: str, on: bool, at: Instant, simulated: bool,
    said: dict[str, Any] | None = None,
) -> Finding:  # fmt: skip
    subject, code = key
    part = "/".join(subject.split("/")[3:])
    details = dict(said or {}) | ({"part": part} if part else {})
    edge = Edge.RAISE if on else Edge.CLEAR
    return Finding(CATALOGUE[code], edge, subject, unit, device, at, details=details, simulated=simulated)
