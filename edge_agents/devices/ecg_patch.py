"""ECG patch: one lead over Bluetooth, in a service of its own (0xFFF0; no standard service carries an ECG).

A block of samples (0xFFF1, notified), little endian: flags u8 (bit 0 electrode off, bit 1 test signal), number of the
first sample u32, its time in ms since 1970 u48, then samples s16 of 0.005 mV at 250 Hz. The clock of the patch is set
by its maker's app; a time of 0 means that it was not.

Source: layout of this project. Battery and device information are the Bluetooth services of that name.
"""

import struct
from typing import Final

from edge_agents.device import INFORMATION_EVENT, FrameError, FrameReason, Numeric, Reading, Waveform, Yields
from edge_agents.devices._gatt import (
    BATTERY_LOW,
    CLOCK_UNSET,
    COMPANION_READ,
    Fields,
    GattDecoder,
    encode_companion,
)
from edge_agents.protocol import Gatt, gatt_frame
from gateway.contract.envelope import Instant
from gateway.contract.waveform import NO_SAMPLE

SAMPLES: Final = 0xFFF1
KIND: Final = "ecg_patch"
PROTOCOL: Final = Gatt(service=0xFFF0, subscribe=(SAMPLES,), read=COMPANION_READ, restart_after=10.0)

FS: Final = 250.0
SCALE: Final = 0.005  # mV
LEAD: Final = "ECG"
FILTER: Final = "0.5-40 Hz"
MAX_SAMPLES: Final = 250  # of one block, with the longest value there is (512 bytes)
ELECTRODE_OFF, IS_TEST = 0x01, 0x02
OFF: Final = "sensor-off"
_MAX_TIME: Final = (1 << 48) - 1  # ms
YIELDS: Final = Yields(
    quantities=("battery",), leads=(LEAD,), events=(INFORMATION_EVENT,), conditions=(OFF, CLOCK_UNSET, BATTERY_LOW)
)


def encode(reading: Reading) -> bytes:
    """A block; without an electrode all its samples say that there is none.

    Raises:
        ValueError: the patch cannot say that.
    """
    if (frame := encode_companion(reading)) is not None:
        return frame
    if (
        not isinstance(reading, Waveform)
        or (reading.leads, reading.fs, reading.scale) != ((LEAD,), FS, SCALE)
        or not 0 < len(reading.samples) <= 2 * MAX_SAMPLES
        or not 0 < reading.observed_at // 1000 <= _MAX_TIME
    ):
        raise ValueError(f"a patch cannot say {reading!r}")
    flags = (ELECTRODE_OFF if _is_off(reading.samples) else 0) | (IS_TEST if reading.test else 0)
    head = bytes([flags]) + (reading.n0 & 0xFFFF_FFFF).to_bytes(4, "little")
    return gatt_frame(SAMPLES, head + (reading.observed_at // 1000).to_bytes(6, "little") + reading.samples)


def _is_off(samples: bytes) -> bool:
    return samples == struct.pack("<h", NO_SAMPLE) * (len(samples) // 2)


class Decoder(GattDecoder):
    """Blocks to waveforms; keeps what was last said of electrode and clock, to say it when it changes."""

    def __init__(self) -> None:
        super().__init__({SAMPLES: self._block})
        self._said: frozenset[str] = frozenset()

    def _block(self, fields: Fields, received_at: Instant) -> list[Reading]:
        flags, n0, clock = fields.uint(1), fields.uint(4), fields.uint(6)
        n, rest = divmod(fields.left, 2)
        if not 0 < n <= MAX_SAMPLES or rest:
            raise FrameError(FrameReason.LENGTH, fields.frame)
        samples = fields.take(2 * n)
        if flags & ELECTRODE_OFF:
            samples = struct.pack("<h", NO_SAMPLE) * n
        at = clock * 1000 if clock else received_at - round(n * 1_000_000 / FS)
        wave = Waveform(
            observed_at=at, n0=n0, fs=FS, leads=(LEAD,), scale=SCALE, samples=samples, filter=FILTER,
            test=bool(flags & IS_TEST),
        )  # fmt: skip
        return [*self._conditions(flags, at, unset=not clock), wave]

    def _conditions(self, flags: int, at: Instant, *, unset: bool) -> list[Reading]:
        """A statement without a value, when something has changed."""
        codes = frozenset(([OFF] if flags & ELECTRODE_OFF else []) + ([CLOCK_UNSET] if unset else []))
        if codes == self._said:
            return []
        self._said = codes
        return [Numeric(observed_at=at, values={}, conditions=self.state(codes))]
