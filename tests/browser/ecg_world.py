"""12-lead ECGs beside earlier ones for the feed server: simulated leads, measured by the product's own code."""

from functools import cache
from typing import Any, Final

from firmware_sims.condition import Condition
from firmware_sims.dipole import FS
from gateway.api.ecg_schemas import SerialEcg
from gateway.api.routes.ecg import shown
from gateway.api.serial_ecg import Earlier, Ecg, NoEcg, Serial, Which
from gateway.derive.ecg.st import Examined, examine
from gateway.derive.ecg.st_report import StReport
from gateway.derive.ecg.st_serial import compare
from tests.browser.world import SECOND
from tests.unit.ecg.st_builders import with_injury

MINUTE: Final = 60 * SECOND
DAY: Final = 24 * 60 * MINUTE


@cache
def examined(level: float, seed: int = 1, low_cut_hz: float | None = 0.05) -> Examined:
    """An inferior elevation of so many mV in II."""
    return examine(with_injury(Condition(heart_rate=72 + seed), {"II": level}, seed), FS, low_cut_hz)


def ecg(of: Examined, end: int, unit: str = "amb-002", device: str = "monitor") -> Ecg:
    return Ecg(unit, device, end - 10 * SECOND, end, of.report, of.beat)


def refused(end: int, *why: str) -> Ecg:
    """10 s that could not be measured."""
    return ecg(Examined(StReport(500.0, 10.0, 0.05, why), None), end)


def serial(at: int, now: Ecg | None = None, *, prior: bool = True) -> Serial:
    """An elevation that grew on the way; a prior ECG of a kiosk, whose filter is not known."""
    looked_at = now or ecg(examined(0.24), at)
    earlier = [
        (Which.PREVIOUS, ecg(examined(0.16), at - MINUTE)),
        (Which.PREVIOUS, ecg(examined(0.08), at - 2 * MINUTE)),
        (Which.FIRST, ecg(examined(0.0), at - 14 * MINUTE)),
    ]
    if prior:
        earlier.append((Which.PRIOR, ecg(examined(0.0, 3, None), at - 40 * DAY, "kiosk-1", "resting-ecg")))
    beside = tuple(Earlier(which, one, compare(looked_at.report, one.report)) for which, one in earlier)
    absent: dict[Which, str] = {} if prior else {Which.PRIOR: NoEcg.NOBODY_BOUND}
    return Serial("person-1" if prior else None, at - 15 * MINUTE, looked_at, beside, absent)


def told(found: Serial) -> dict[str, Any]:
    """As the API answers it."""
    return SerialEcg.model_validate(shown(found)).model_dump(mode="json")
