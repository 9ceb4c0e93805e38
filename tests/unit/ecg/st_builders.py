"""Reports, simulated recordings and frames for the ST tests."""

import numpy as np
from numpy.typing import NDArray

from firmware_sims.condition import Condition
from firmware_sims.dipole import FS, J_POINT, STEP_MV
from firmware_sims.physiology import Patient
from gateway.contract.quantity import ECG_LEADS_12, SECOND
from gateway.contract.waveform import WaveFrame
from gateway.derive.ecg.st_report import TWELVE, LeadSt, StReport

Leads = dict[str, NDArray[np.float64]]


def lead(name: str, **measured: object) -> LeadSt:
    """A normal lead, with what a test changes."""
    usual: dict[str, object] = {
        "j": 0.0, "j60": 0.0, "r": 0.8, "s": -0.2, "p": 0.1, "t": 0.3, "t_wave": "upright", "t_terminal": 0.3,
        "tp": 0.0, "error": 0.004,
    }  # fmt: skip
    return LeadSt(lead=name, **(usual | measured))  # type: ignore[arg-type]


def report(levels: dict[str, float] | None = None, *leads: LeadSt, **about: object) -> StReport:
    """A normal 12-lead report with these J levels; ``leads`` replace whole leads or add to them."""
    rows = {name: lead(name, r=0.2, s=-0.8, p=-0.1) if name == "aVR" else lead(name) for name in TWELVE}
    rows |= {name: lead(name, j=level) for name, level in (levels or {}).items()}
    rows |= {row.lead: row for row in leads}
    usual: dict[str, object] = {
        "fs": 500.0, "seconds": 10.0, "low_cut_hz": 0.05, "heart_rate": 75.0, "qrs_ms": 90.0, "beats": 12,
        "beats_used": 11, "j_sample": 400,
    }  # fmt: skip
    return StReport(**(usual | {"leads": tuple(rows.values())} | about))  # type: ignore[arg-type]


def recorded(condition: Condition, seed: int = 1, seconds: float = 10.0) -> Leads:
    """What the simulator's 12 leads show, mV."""
    patient = Patient(seed, lambda _: condition)
    steps = [patient.advance() for _ in range(round(seconds * 5))]
    ecg = np.concatenate([step.ecg for step in steps if step is not None], axis=1)
    return dict(zip(ECG_LEADS_12, ecg * STEP_MV, strict=True))


def with_injury(condition: Condition, levels: dict[str, float], seed: int = 1) -> Leads:
    """A simulated recording plus ST levels that stand from the J point on, given for I, II and the chest leads.

    The simulator's own come by groups of leads, these lead by lead. They rise under the end of the QRS, in the 30 ms
    before the simulator's J point, and fall off after 180 ms.
    """
    patient = Patient(seed, lambda _: condition)
    steps = [patient.advance() for _ in range(50)]
    ecg = np.concatenate([step.ecg for step in steps if step is not None], axis=1) * STEP_MV
    time = np.arange(ecg.shape[1]) / FS
    shape = np.zeros_like(time)
    for beat in patient.heart.beats:
        since = time - beat.at - J_POINT
        shape += np.interp(since, (-0.030, -0.002, 0.18, 0.26), (0.0, 1.0, 1.0, 0.0))
    leads = dict(zip(ECG_LEADS_12, ecg, strict=True))
    one, two = levels.get("I", 0.0), levels.get("II", 0.0)
    limb = {"III": two - one, "aVR": -(one + two) / 2, "aVL": one - two / 2, "aVF": two - one / 2}
    return {name: row + shape * (levels | limb).get(name, 0.0) for name, row in leads.items()}


def frames(leads: Leads, filter_text: str = "0.05-150 Hz", n0: int = 0) -> list[WaveFrame]:
    """The recording as a monitor sends it, in frames of 200 ms."""
    samples = np.rint(np.stack(list(leads.values())) / STEP_MV).astype("<i2")
    step = FS // 5
    return [
        WaveFrame(
            epoch="1" * 16, seq=at // step, device="monitor", observed_at=round((n0 + at) * SECOND / FS), n0=n0 + at,
            fs=float(FS), leads=list(leads), scale=STEP_MV, samples=samples[:, at : at + step].tobytes(),
            filter=filter_text,
        )
        for at in range(0, samples.shape[1], step)
    ]  # fmt: skip
