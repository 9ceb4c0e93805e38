"""What the HTTP API speaks about 12-lead ECGs beside each other. Times are us since 1970, UTC; levels are mV."""

from pydantic import Field

from gateway.api.schemas import Answer, Time
from gateway.api.serial_ecg import Which
from gateway.derive.ecg.st_report import Polarity

_LEADS = ["I", "II", "V1"]


class EcgLead(Answer):
    """One lead of the median beat, above its level at QRS onset."""

    lead: str = Field(examples=["II"])
    j: float = Field(description="ST level at the J point, mV", examples=[0.21])
    j60: float = Field(description="60 ms later, mV", examples=[0.24])
    t_wave: Polarity = Field(examples=["upright"])
    error: float = Field(description="standard error of the ST level, mV", examples=[0.004])
    calculated: bool = Field(description="from I and II, as the device did not send it", examples=[False])


class MedianBeatShown(Answer):
    """The beat the levels were read from; 0 is the level at QRS onset."""

    fs: float = Field(description="samples per second", examples=[500.0])
    onset: int = Field(description="sample of QRS onset", examples=[154])
    j: int = Field(description="sample of the J point", examples=[203])
    scale: float = Field(description="mV per step", examples=[0.001])
    samples: list[list[int]] = Field(description="one row a lead, in the order of `leads`", examples=[[[0, 2, 5]]])


class EcgShown(Answer):
    """10 s of stored signal and what was measured in them."""

    unit: str = Field(examples=["amb-001"])
    device: str = Field(examples=["monitor"])
    start_at: Time
    end_at: Time
    refused: list[str] = Field(
        description="why nothing may be measured; empty: it was. no-signal, not-12-lead, shorter-than-10-s, lead-off, "
        "sampled-too-slowly, filter-not-fit-for-st, no-clear-beats",
        examples=[[]],
    )
    low_cut_hz: float | None = Field(description="of the device's filter; null: it does not say", examples=[0.05])
    heart_rate: float | None = Field(description="per minute", examples=[78.0])
    qrs_ms: float | None = Field(description="ms", examples=[92.0])
    pacing: bool = Field(description="spikes before most beats", examples=[False])
    beats: int = Field(description="in the 10 s", examples=[13])
    beats_used: int = Field(description="alike, and in the median", examples=[12])
    cautions: list[str] = Field(description="what lowers the confidence", examples=[["filter-unknown"]])
    leads: list[EcgLead]
    beat: MedianBeatShown | None


class LeadChange(Answer):
    """How a lead differs from the earlier ECG."""

    lead: str = Field(examples=["II"])
    change: float = Field(description="ST level now less that of the earlier ECG, mV", examples=[0.16])
    changed: bool = Field(description="by `changed_mv` or more", examples=[True])


class EarlierEcg(Answer):
    """An earlier ECG and how the one that is looked at differs from it. The reader judges; nothing here does."""

    which: Which = Field(
        description="previous: a minute or more before the next later one; first: of the ride; prior: before the ride, "
        "at any unit that spoke for the person",
        examples=["first"],
    )
    ecg: EcgShown
    changes: list[LeadChange] = Field(description="of the leads both have")
    reserve: list[str] = Field(
        description="what makes them hard to compare: not-measured, filters-differ, conduction-differs, rates-differ, "
        "person-unknown",
        examples=[["filters-differ"]],
    )
    missing: list[str] = Field(description="leads that only one of both has", examples=[["V7"]])


class AbsentEcg(Answer):
    """There is no such ECG."""

    which: Which = Field(examples=["prior"])
    why: str = Field(description="nobody-bound, no-signal, or as in `refused`", examples=["no-signal"])


class SerialEcg(Answer):
    """A 12-lead ECG beside earlier ones of the same person."""

    person: str | None = Field(
        description="pseudonym; null: nobody is bound, and what came before may be somebody else's",
        examples=["6b0f7d1c-50d4-4a0e-9df0-2f9d2a8f1c11"],
    )
    ride_from: Time = Field(description="us since 1970; the first ECG of the ride is looked for from here on")
    now: EcgShown
    earlier: list[EarlierEcg] = Field(description="newest first")
    absent: list[AbsentEcg]
    changed_mv: float = Field(description="a change of so much is marked, mV", examples=[0.05])
    notice: str = Field(
        description="always shown with it", examples=["Assists, does not diagnose. A physician reads the ECG."]
    )
