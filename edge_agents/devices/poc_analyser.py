r"""Point-of-care analyser: troponin, blood gas, lactate, electrolytes, glucose, over the laboratory protocol.

The link is that of _astm.py: the analyser asks, sends numbered frames and waits for an answer to each. A message is one
record a line, fields divided by | and components by ^, as its header says (H|\^&)::

    H  header: field 12 processing id (P or nothing = of a patient; T, D, Q = training, debugging, quality control)
    P  patient: read over, who it is does not leave the analyser     C  comment: read over
    O  order: field 12 action code Q = a control sample
    R  result: field 3 test (^^^K+^M), 4 value, 5 unit, 7 flags, 9 status (X = cannot be done), 12 and 13 times
    L  end of the message

Values that are no number stay none: "....." (no-measurement), "?7.41" (questionable), "<0.010" or flag < (below-range),
">" (above-range), a unit that is not known (unknown-unit). A result that was typed in (^I) or calculated for the
person's temperature is passed over. Times are local; one without an offset counts only when the option ``utc_offset``
("+0800") is set, else the time of arrival does.

Source: CLSI LIS02-A2 (ASTM E1394-97); names of tests as Radiometer's and Siemens' analysers send them.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, NamedTuple

from edge_agents.device import FrameError, FrameReason, Numeric, Reading, Yields
from edge_agents.devices import _astm
from edge_agents.devices._zone import zone, zone_option
from edge_agents.protocol import Stream
from gateway.contract.envelope import Instant
from gateway.contract.quantity import QUANTITIES

KIND: Final = "poc_analyser"
PROTOCOL: Final = Stream(baud=9600)


class Assay(NamedTuple):
    """A quantity, the name it is sent under, digits, and the factor of each unit it may come in."""

    quantity: str
    name: str
    digits: int
    units: dict[str, float]
    others: tuple[str, ...] = ()


_PRESSURE: Final = {"mmHg": 1.0, "kPa": 7.500615758456563}
_ION: Final = {"mmol/L": 1.0, "mEq/L": 1.0}
_MASS: Final = {"ng/L": 1.0, "pg/mL": 1.0, "ug/L": 1000.0, "ng/mL": 1000.0}
ASSAYS: Final = (
    Assay("troponin-i", "TnI", 1, _MASS, ("cTnI", "hs-TnI", "hsTnI", "Troponin I", "TNIH")),
    Assay("blood-ph", "pH", 3, {"": 1.0}),
    Assay("pco2", "pCO2", 1, _PRESSURE),
    Assay("po2", "pO2", 1, _PRESSURE),
    Assay("lactate", "Lac", 2, {"mmol/L": 1.0, "mg/dL": 1 / 9.008}, ("Lactate", "Lact", "cLac")),
    Assay("potassium", "K+", 2, _ION, ("K", "cK+", "Potassium")),
    Assay("sodium", "Na+", 1, _ION, ("Na", "cNa+", "Sodium")),
    Assay("glucose", "Glu", 2, {"mmol/L": 1.0, "mg/dL": 1 / 18.0156}, ("Glucose", "cGlu")),
)
YIELDS: Final = Yields(quantities=tuple(assay.quantity for assay in ASSAYS))
_BY_NAME: Final = {name.lower(): assay for assay in ASSAYS for name in (assay.name, *assay.others)}
_BY_LOINC: Final = {QUANTITIES[assay.quantity].loinc: assay for assay in ASSAYS}
_FLAGS: Final = {"below-range": "<", "above-range": ">"}
_NO_VALUE: Final = "....."
_TYPED_IN: Final = "I"
_NUMBER: Final = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,9})?")
_TIME: Final = re.compile(r"([0-9]{12})([0-9]{2})?([+-][0-9]{4})?")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LAST: Final = 253_402_300_799_000_000  # 9999-12-31


def encode(reading: Reading) -> bytes:
    """A whole transmission: ENQ, the frames of a message, EOT.

    Raises:
        ValueError: not a result, a quantity or a reason it does not know, or a time outside the calendar.
    """
    if not isinstance(reading, Numeric) or not reading.values:
        raise ValueError(f"an analyser cannot say {reading!r}")
    if not 0 <= reading.observed_at <= _LAST:
        raise ValueError(f"no date for {reading.observed_at}")
    stamp = f"{_EPOCH + reading.observed_at // 1_000_000 * 1_000_000 * _MICROSECOND:%Y%m%d%H%M%S}+0000"
    results = [
        _result(number, assay, reading, stamp)
        for number, assay in enumerate((assay for assay in ASSAYS if assay.quantity in reading.values), 1)
    ]
    if len(results) != len(reading.values):
        raise ValueError(f"an analyser does not measure {', '.join(reading.values)}")
    mode = "T" if reading.test else "P"
    header = f"H|\\^&|||lastmile^1|||||||{mode}|LIS2-A2|{stamp}"
    records = [header, "P|1", "O|1||sample", *results, "L|1|N"]
    return b"%c%s%c" % (_astm.ENQ, b"".join(_astm.frames(records)), _astm.EOT)


def _result(number: int, assay: Assay, reading: Numeric, stamp: str) -> str:
    value = reading.values[assay.quantity]
    unit = next(iter(assay.units))
    flag, text = "", _NO_VALUE
    if value is not None:
        text = f"{value:.{assay.digits}f}"
    elif (reason := reading.invalid.get(assay.quantity, "no-measurement")) != "no-measurement":
        if reason not in _FLAGS:
            raise ValueError(f"no flag for {reason}")
        flag = _FLAGS[reason]
    return f"R|{number}|^^^{assay.name}^M|{text}|{unit}||{flag}||F|||{stamp}|{stamp}"


class Decoder:
    """Bytes of an analyser to results; answers every frame."""

    def __init__(self, utc_offset: str = "") -> None:
        """``utc_offset``: of the analyser's clock, as "+0800"; empty = times without an offset are not used."""
        self._offset = zone_option(utc_offset) if utc_offset else None
        self._receiver = _astm.Receiver()

    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        """See edge_agents.device.Decoder."""
        found: list[Reading | FrameError] = []
        for item in self._receiver.feed(data):
            if isinstance(item, FrameError):
                found.append(item)
            else:
                found += _Message(item, received_at, self._offset).readings()
        return found

    def answers(self) -> bytes:
        """See edge_agents.device.Answering."""
        return self._receiver.answers()


class _Message:
    """The records of one message."""

    def __init__(self, records: list[str], received_at: Instant, offset: timezone | None) -> None:
        self._received_at = received_at
        self._offset = offset
        header = records[0]
        self._field, self._component = (header[1], header[3]) if header[:1] == "H" and len(header) > 4 else ("", "")
        self._rows = [record.split(self._field) for record in records] if self._field else []

    def readings(self) -> Iterator[Reading | FrameError]:
        """One for each time at which something was measured."""
        if not self._rows:
            yield FrameError(FrameReason.SYNTAX, b"message", "no header")
            return
        test = training = _get(self._rows[0], 11) in {"T", "D", "Q"}
        values: dict[str, float | None] = {}
        invalid: dict[str, str] = {}
        at = self._received_at
        for row in self._rows:
            if row[0] == "O":
                test = training or _get(row, 11) == "Q"
            if row[0] in ("O", "R"):
                time = self._time(row)
                if values and (row[0] == "O" or (time is not None and time != at)):
                    yield Numeric(observed_at=at, values=values, invalid=invalid, test=test)
                    values, invalid = {}, {}
                at = self._received_at if row[0] == "O" else at
                at = at if time is None else time
            if row[0] == "R":
                self._add(row, values, invalid)
        if values:
            yield Numeric(observed_at=at, values=values, invalid=invalid, test=test)

    def _add(self, row: list[str], values: dict[str, float | None], invalid: dict[str, str]) -> None:
        names = [*_get(row, 2).split(self._component), "", "", "", "", ""]
        assay = _BY_LOINC.get(names[0]) or _BY_NAME.get(names[3].lower())
        if assay is None or names[4] == _TYPED_IN:
            return
        unit = _get(row, 4).split(self._component)[0]
        value, reason = _value(assay, _get(row, 3), unit, _get(row, 6), _get(row, 8))
        values[assay.quantity] = value
        invalid.pop(assay.quantity, None)
        if reason:
            invalid[assay.quantity] = reason

    def _time(self, row: list[str]) -> Instant | None:
        """When it was measured, if the record says so: end, begin, or where glucose meters put it."""
        if row[0] != "R":
            return None
        times = (_instant(_get(row, place), self._offset) for place in (12, 11, 8))
        return next((time for time in times if time is not None), None)


def _get(row: list[str], place: int) -> str:
    return row[place].strip() if place < len(row) else ""


def _value(assay: Assay, text: str, unit: str, flag: str, status: str) -> tuple[float | None, str]:
    """The number in the quantity's unit, or why there is none."""
    if text.startswith("?"):
        return None, "questionable"
    for reason, mark in _FLAGS.items():
        if text.startswith(mark) or flag.startswith(mark):
            return None, reason
    if status == "X" or not _NUMBER.fullmatch(text):
        return None, "no-measurement"
    if unit not in assay.units:
        return None, "unknown-unit"
    value, row = round(float(text) * assay.units[unit], assay.digits), QUANTITIES[assay.quantity]
    return (value, "") if row.low <= value <= row.high else (None, "out-of-range")


def _instant(text: str, offset: timezone | None) -> Instant | None:
    """YYYYMMDDHHMM[SS][+HHMM] as an instant; None when it is none or nobody knows the offset."""
    if not (found := _TIME.fullmatch(text)):
        return None
    known = zone(found[3]) if found[3] else offset
    if known is None:
        return None
    try:
        local = datetime.strptime(found[1] + (found[2] or "00"), "%Y%m%d%H%M%S").replace(tzinfo=known)
        return (local - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        return None
