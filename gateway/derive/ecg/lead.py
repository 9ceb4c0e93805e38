"""Which lead the rhythm is read from: the first of these that a frame has."""

from typing import Final

LEAD_PREFERENCE: Final = ("II", "MLII", "I", "V5", "V2", "V1", "V4", "V3", "V6", "ECG", "III", "aVF", "aVL", "aVR")
