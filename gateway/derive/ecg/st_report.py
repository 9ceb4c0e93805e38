"""What was measured at the ST segments of one 12-lead ECG: everything a reader or a page needs to retrace it."""

from functools import cache
from typing import Final, Literal

import msgspec

INDEPENDENT: Final = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")  # the other four follow from I and II
LIMB: Final = ("III", "aVR", "aVL", "aVF")
TWELVE: Final = ("I", "II", *LIMB, "V1", "V2", "V3", "V4", "V5", "V6")
EXTRA: Final = ("V7", "V8", "V9", "V3R", "V4R")
_SPELLING: Final = {name.lower(): name for name in (*TWELVE, *EXTRA)}

Polarity = Literal["upright", "inverted", "biphasic", "flat"]


@cache
def canonical(name: str) -> str | None:
    """The lead's name as we spell it (``avr`` is ``aVR``); None for what is no lead of a diagnostic ECG."""
    return _SPELLING.get(name.strip().lower())


class LeadSt(msgspec.Struct, frozen=True):
    """One lead of the median beat. Levels in mV above the PR level at QRS onset; 0.1 mV is 1 mm on paper."""

    lead: str
    j: float  # ST level at the J point: what the criteria judge
    j60: float  # 60 ms later, for information
    r: float  # highest point of the QRS, at least 0
    s: float  # lowest point of the QRS, at most 0
    p: float  # greatest deflection before the QRS, with its sign
    t: float  # greatest deflection of the T wave, with its sign
    t_wave: Polarity
    t_terminal: float  # its last deflection: upright ones go with posterior infarction, inverted ones with Wellens
    tp: float | None  # how far the TP level lies from the PR level; None when diastole is too short to tell
    error: float  # standard error of the ST level, from how beats differ


class StReport(msgspec.Struct, frozen=True):
    """``leads`` is empty when ``refused`` says why nothing may be said. Samples count from the window's first."""

    fs: float
    seconds: float
    low_cut_hz: float | None  # of the filter the device applied; None: it did not say
    refused: tuple[str, ...] = ()
    leads: tuple[LeadSt, ...] = ()
    derived: tuple[str, ...] = ()  # leads calculated from I and II because the device did not send them
    reference: Literal["PR"] = "PR"  # the reference level is that of QRS onset
    heart_rate: float = 0.0  # /min
    qrs_ms: float = 0.0
    beats: int = 0  # in the window
    beats_used: int = 0  # alike, and in the median
    onset_sample: int = 0  # QRS onset of the first beat used
    j_sample: int = 0  # J point of the first beat used
    pacing: bool = False  # spikes before most beats
    einthoven_mv: float = 0.0  # how far III is from II - I where the device sent all three

    def lead(self, name: str) -> LeadSt | None:
        return next((lead for lead in self.leads if lead.lead == name), None)

    def level(self, name: str) -> float | None:
        """ST level at the J point, mV; ``-aVR`` is aVR upside down."""
        if name.startswith("-"):
            level = self.level(name[1:])
            return None if level is None else -level
        found = self.lead(name)
        return found.j if found is not None else None
