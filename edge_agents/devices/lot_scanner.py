"""Hand scanner of a delivery van: the lot, serial number and expiry of each package.

The line is that of _checked_line.py under the tag LMS1, code 01, with one field ``s``: what the scanner read, URL-
encoded because it holds group separators. It begins with the symbology identifier (]d2 GS1 DataMatrix, ]C1 GS1-128,
]Q3 GS1 QR, ]e0 GS1 DataBar); a code that is not a GS1 one is refused. The event ``lot-scanned``::

    gtin      (01), check digit right       serial    (21), when there is one
    lot       (10)                          symbology datamatrix | gs1-128 | qr | databar | dotcode
    expires   (17) as YYYY-MM-DD

A package without a lot number is refused: it cannot be traced. Other application identifiers are read over. Source:
GS1 General Specifications (_gs1.py) for the content; the line is a layout of this project, for scanners' own lines have
neither a check nor a time.
"""

from datetime import date
from typing import Any, Final

from edge_agents.device import FrameError, FrameReason, Occurrence, Reading, Yields
from edge_agents.devices import _gs1
from edge_agents.devices._checked_line import Layout, Line, LineDecoder, write
from edge_agents.protocol import Stream
from gateway.contract.envelope import Instant

KIND: Final = "lot_scanner"
PROTOCOL: Final = Stream(baud=9600)
LAYOUT: Final = Layout(tag="LMS1")
SCANNED: Final = "lot-scanned"
YIELDS: Final = Yields(events=(SCANNED,))
_CODE: Final = "01"
_YEAR: Final = 31_556_952_000_000  # us, mean of the Gregorian calendar
_YEARS: Final = range(1970, 2170)


def encode(reading: Reading) -> bytes:
    """The line of a scan: details as they are decoded, or ``scan``, the raw content.

    Raises:
        ValueError: not a scan.
    """
    if not isinstance(reading, Occurrence) or reading.name != SCANNED:
        raise ValueError(f"a scanner cannot say {reading!r}")
    scan = reading.details.get("scan") or _scan(reading.details)
    return write(LAYOUT.tag, Line(reading.observed_at, reading.test, _CODE, {"s": scan}))


def _scan(details: dict[str, Any]) -> str:
    prefix = next(key for key, name in _gs1.CARRIERS.items() if name == details["symbology"])
    text = f"{prefix}{_gs1.GTIN}{details['gtin']}"
    if expires := details.get("expires"):
        text += f"{_gs1.EXPIRES}{date.fromisoformat(expires):%y%m%d}"
    text += f"{_gs1.LOT}{details['lot']}"
    return text + (f"{_gs1.SEPARATOR}{_gs1.SERIAL}{details['serial']}" if "serial" in details else "")


def scanned(scan: str, at: Instant) -> dict[str, str]:
    """The details of what a scanner read.

    Raises:
        ValueError: not GS1, a wrong check digit, no such day, no lot.
    """
    symbology = _gs1.CARRIERS.get(scan[:3])
    if symbology is None:
        raise ValueError("not a GS1 symbol")
    found = _gs1.elements(scan[3:])
    if _gs1.GTIN not in found or _gs1.LOT not in found:
        raise ValueError("no trade item or no lot")
    details = {"gtin": _gs1.gtin(found[_gs1.GTIN]), "lot": found[_gs1.LOT], "symbology": symbology}
    if _gs1.EXPIRES in found:
        year = min(max(1970 + at // _YEAR, _YEARS.start), _YEARS.stop)
        details["expires"] = _gs1.day(found[_gs1.EXPIRES], year).isoformat()
    if _gs1.SERIAL in found:
        details["serial"] = found[_gs1.SERIAL]
    return details


class Decoder(LineDecoder):
    """Lines of a scanner to occurrences."""

    def __init__(self) -> None:
        super().__init__(LAYOUT)

    def _decode(self, line: Line, raw: bytes) -> Reading:
        if line.code != _CODE:
            raise FrameError(FrameReason.UNKNOWN_TYPE, raw, f"code {line.code!r}")
        try:
            details = scanned(line.fields.get("s", ""), line.at)
        except ValueError as error:
            raise FrameError(FrameReason.OUT_OF_RANGE, raw, str(error)) from error
        return Occurrence(observed_at=line.at, name=SCANNED, details=details, test=line.test)
