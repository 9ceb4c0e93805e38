"""How a simulated patient is at one instant: the parameters the physiology follows."""

from enum import StrEnum

import msgspec


class Rhythm(StrEnum):
    """What the heart does. Slow and fast sinus rhythm are ``sinus`` with another heart rate."""

    SINUS = "sinus"
    ATRIAL_FIBRILLATION = "atrial-fibrillation"
    VENTRICULAR_TACHYCARDIA = "ventricular-tachycardia"  # at ``heart_rate``
    ASYSTOLE = "asystole"
    VENTRICULAR_FIBRILLATION = "ventricular-fibrillation"


PULSELESS = frozenset({Rhythm.ASYSTOLE, Rhythm.VENTRICULAR_FIBRILLATION})


class Condition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Numbers may be moved gradually by a scenario; the rhythm changes at once."""

    rhythm: Rhythm = Rhythm.SINUS
    heart_rate: float = 75.0  # /min, mean; measured one varies with breathing
    sinus_arrhythmia: float = 0.04  # share of the RR interval that breathing moves
    ectopic_share: float = 0.0  # probability that the next beat is a premature ventricular one
    st_inferior: float = 0.0  # mV above the baseline from the J point on in II, III, aVF
    st_lateral: float = 0.0  # in I, aVL, V5, V6
    st_anterior: float = 0.0  # in V1 to V4
    resp_rate: float = 15.0  # /min
    spo2: float = 97.5  # %, where saturation tends to
    perfusion: float = 3.0  # perfusion index, %
    temperature: float = 36.8  # Cel
    unrest: float = 0.0  # how strongly the patient moves and disturbs what is measured; 1 is much, see unrest.py
    systolic: float = 124.0  # mm[Hg]
    diastolic: float = 78.0  # mm[Hg]


NUMBERS = tuple(field for field in Condition.__struct_fields__ if field != "rhythm")
