"""Simulated ECG patch: lead I of the patient, 250 samples a second, five blocks a second.

Steps: ``electrode = "off"``, ``test = true`` (its own test signal is sent instead).
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agents.device import Reading, Waveform
from edge_agents.devices import ecg_patch
from edge_agents.devices.ecg_patch import FILTER, FS, LEAD, SCALE, Decoder
from firmware_sims.dipole import FS as RENDERED_FS
from firmware_sims.physiology import STEP_US, Patient
from firmware_sims.world import Timed, World
from gateway.contract.waveform import NO_SAMPLE

__all__ = ["Decoder", "encode", "readings"]

EACH: Final = round(RENDERED_FS / FS)  # of the rendered samples one is taken
HALVED: Final = 2  # rendered in steps of 2.5 uV, sent in steps of 5 uV
TEST_HEIGHT: Final = 200  # samples' steps: a square wave of 1 mV


def encode(reading: Reading, _number: int) -> bytes:
    """A block; it carries its own number."""
    return ecg_patch.encode(reading)


def readings(world: World) -> Iterator[Timed]:
    """A block every 200 ms, when its last sample has been taken, for ever."""
    patient = Patient(world.seed, world.timeline.condition_at)
    n0 = 0
    while True:
        start = patient.elapsed
        told = world.told(start)
        signals = patient.advance()
        assert signals is not None
        lead = (signals.ecg[0, ::EACH] // HALVED).astype("<i2")
        if told.get("test"):
            lead = np.where(np.arange(len(lead)) < len(lead) // 2, TEST_HEIGHT, 0).astype("<i2")
        if told.get("electrode") == "off":
            lead = np.full(len(lead), NO_SAMPLE, "<i2")
        yield Timed(start + STEP_US, _block(world.start_at + start, n0, lead, test=bool(told.get("test"))))
        n0 += len(lead)


def _block(at: int, n0: int, lead: NDArray[np.int16], *, test: bool) -> Waveform:
    return Waveform(
        observed_at=at // 1000 * 1000, n0=n0, fs=FS, leads=(LEAD,), scale=SCALE, samples=lead.tobytes(),
        filter=FILTER, test=test,
    )  # fmt: skip
