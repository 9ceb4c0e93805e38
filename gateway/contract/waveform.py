"""A frame of a sampled signal (MessagePack)."""

from typing import Annotated

import msgspec

from gateway.contract.envelope import Instant, Record

MAX_LEADS = 32
MAX_SAMPLES = 100_000


class WaveFrame(Record, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """``len(leads)`` signals sampled together.

    ``samples``: int16 little-endian, lead after lead, each ``n`` long: shape (len(leads), n).
    Physical value = sample x ``scale`` in the lead's unit (mV for ECG). -32768 means "no sample" (lead off).
    ``n0`` is the number of the frame's first sample since the device's first in this epoch: contiguity is
    judged by it. ``observed_at`` of the envelope is the time of that first sample (the design's ``t0``).
    """

    n0: Annotated[int, msgspec.Meta(ge=0, lt=2**62)]
    fs: Annotated[float, msgspec.Meta(ge=0.001, le=100_000)]  # samples per second and lead
    leads: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MAX_LEADS)]
    scale: Annotated[float, msgspec.Meta(gt=0, le=1e6)]
    samples: bytes
    filter: str = ""  # band the device applied, such as "0.05-150 Hz"

    @property
    def n(self) -> int:
        """Samples per lead."""
        return len(self.samples) // (2 * len(self.leads))

    @property
    def end_at(self) -> Instant:
        """Time just after the last sample, us."""
        return self.observed_at + round(self.n * 1_000_000 / self.fs)


NO_SAMPLE = -32768
