"""Readings of devices as numbered records of the contract. Pure."""

from typing import Final

from edge_agents.device import Numeric, Occurrence, Reading, Waveform
from gateway.contract.envelope import Epoch, Lane, Seq
from gateway.contract.observation import Event, Observation
from gateway.contract.quantity import LEADS, QUANTITIES
from gateway.contract.waveform import WaveFrame
from gateway.contract.wire import Numbered

_LANES: Final[dict[type, Lane]] = {Numeric: Lane.OBS, Waveform: Lane.WAVE, Occurrence: Lane.EVENT}
_RHYTHM_LEADS: Final = ("II", "MLII", "ECG")  # the one lead a weak link carries, best first


def lane_of(reading: Reading) -> Lane:
    """The lane a reading travels on."""
    return _LANES[type(reading)]


def unknown_words(reading: Reading) -> list[str]:
    """Quantities or leads of the reading that the contract does not know; the gateway would refuse the record."""
    if isinstance(reading, Numeric):
        return [name for name in reading.values if name not in QUANTITIES]
    if isinstance(reading, Waveform):
        return [name for name in reading.leads if name not in LEADS]
    return []


def record(reading: Reading, epoch: Epoch, device: str, seq: Seq) -> Numbered:
    """The record that carries the reading under this number."""
    at = reading.observed_at
    match reading:
        case Numeric():
            return Observation(
                epoch=epoch, seq=seq, device=device, observed_at=at, test=reading.test,
                values=reading.values, invalid=reading.invalid,
            )  # fmt: skip
        case Waveform():
            return WaveFrame(
                epoch=epoch, seq=seq, device=device, observed_at=at, test=reading.test, n0=reading.n0, fs=reading.fs,
                leads=list(reading.leads), scale=reading.scale, samples=reading.samples, filter=reading.filter,
            )  # fmt: skip
        case Occurrence():
            return Event(
                epoch=epoch, seq=seq, device=device, observed_at=at, test=reading.test,
                name=reading.name, details=reading.details,
            )  # fmt: skip


def split_for_weak_link(reading: Waveform) -> tuple[Waveform | None, Waveform | None]:
    """(what goes live over a weak link, what goes as backfill): the rhythm lead, and the other leads.

    Every sample is in exactly one of the two; both keep ``n0`` and the time.
    """
    rhythm: str | None = next((name for name in _RHYTHM_LEADS if name in reading.leads), None)
    if rhythm is None:
        rhythm = next((name for name in reading.leads if LEADS[name].unit == "mV"), None)
    if rhythm is None:
        return None, reading
    if len(reading.leads) == 1:
        return reading, None
    others = tuple(name for name in reading.leads if name != rhythm)
    return _only(reading, (rhythm,)), _only(reading, others)


def _only(reading: Waveform, leads: tuple[str, ...]) -> Waveform:
    size = len(reading.samples) // len(reading.leads)
    rows = {name: reading.samples[i * size : (i + 1) * size] for i, name in enumerate(reading.leads)}
    return Waveform(
        observed_at=reading.observed_at, n0=reading.n0, fs=reading.fs, leads=leads, scale=reading.scale,
        samples=b"".join(rows[name] for name in leads), filter=reading.filter, test=reading.test,
    )  # fmt: skip
