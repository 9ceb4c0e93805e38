"""One heart beat, as the beat detector hands it to rhythm and rate."""

import msgspec


class Beat(msgspec.Struct, frozen=True, gc=False):
    """One heart beat. ``sample``: R peak, counted as the stream's n0."""

    sample: int
    rr: float | None  # s since the beat before; None for the first and after a gap
    width: float  # QRS duration, s (estimate)
    amplitude: float  # peak to peak, mV
    ventricular: bool  # wide, or unlike the dominant beat, and not explained by noise
    premature: bool
