"""What the HTTP API speaks about devices' care, service mode, training and sessions. Times are us since 1970, UTC."""

from datetime import date
from typing import Annotated

from pydantic import Field, StringConstraints

from gateway.api.plan_schemas import WordingState
from gateway.api.ports import Role
from gateway.api.schemas import Answer, GivenTime, LatestValue, Request, Time
from gateway.care.sitting import EndReason
from gateway.care.window import LONGEST, Mode, State
from gateway.contract.envelope import DeviceLink
from gateway.contract.identity import AssociationSource, Provenance

LONGEST_MINUTES = max(LONGEST.values()) // 60_000_000
TRAINING_MINUTES = LONGEST[Mode.TRAINING] // 60_000_000
Why = Annotated[
    str,
    StringConstraints(strip_whitespace=True),
    Field(min_length=3, max_length=500, description="why; kept with the act", examples=["yearly calibration"]),
]
SerialNumber = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ./_-]{0,63}$", examples=["SN-20418"])]
DeviceKind = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$", description="as `lastmile devices` names it", examples=["gnss"])
]


class InService(Answer):
    """A device in service mode: what it says is stored and flagged, and raises nothing."""

    mode: Mode
    started_at: Time
    expires_at: Time
    started_by: str = Field(examples=["nurse.wang"])


class CaredDevice(Answer):
    """A device of a unit: heard of, or entered by somebody."""

    unit: str = Field(examples=["kiosk-01"])
    id: str = Field(description="its name at the unit; it stays when the box is swapped", examples=["cuff"])
    site: str = Field(examples=["city"])
    provenance: Provenance
    kind: str | None = Field(
        description="as `lastmile devices` names it: entered, else as its agent runs it", examples=["bp_cuff"]
    )
    serial: str | None = Field(description="of the box that stands there now", examples=["SN-20418"])
    serial_since: Time | None
    calibration_due: date | None = Field(examples=["2027-03-01"])
    first_seen_at: Time | None = Field(description="us since 1970; null = entered, never heard of")
    received_at: Time | None = Field(description="us; newest value received from it")
    measured_at: Time | None = Field(description="us; event time of its newest value")
    age: int | None = Field(description="us since its newest value was received", examples=[1_200_000])
    battery: float | None = Field(description="%, as it said last", examples=[80])
    link: DeviceLink | None = Field(
        description="as its agent finds it; null = not known: the agent is away", examples=["connected"]
    )
    firmware: str | None = Field(description="as the device says it; null = it does not say", examples=["1.4"])
    service: InService | None = Field(description="null = in use")


class SerialState(Answer):
    """A box that stood behind the device's name."""

    serial: str = Field(examples=["SN-20418"])
    from_at: Time
    to_at: Time | None = Field(description="us; null = it stands there now")
    recorded_by: str = Field(examples=["ops.li"])


class Swap(Request):
    """Another box takes the device's place; its name and its readings stay."""

    serial: SerialNumber = Field(description="of the new box")
    at: GivenTime | None = Field(None, description="us; left out = now; not in the future")
    reason: Why
    calibration_due: date | None = Field(
        None, description="of the new box; left out = unknown", examples=["2027-03-01"]
    )


class DeviceChange(Request):
    """What is left out stays."""

    kind: DeviceKind | None = None
    calibration_due: date | None = Field(None, description="null = none", examples=["2027-03-01"])


class ServiceStart(Request):
    """Takes a device out of use for a while."""

    mode: Mode = Field(description="not training: that is of a whole unit", examples=["calibration"])
    reason: Why
    minutes: int = Field(
        ge=1, le=LONGEST_MINUTES, examples=[30],
        description="cleaning 120 at most, calibration 240, transport 1440, repair 4320; it ends by itself",
    )  # fmt: skip


class TrainingStart(Request):
    """From now on the unit's data are practice."""

    reason: Why
    minutes: int = Field(ge=1, le=TRAINING_MINUTES, examples=[60], description="it ends by itself")


class WindowState(Answer):
    """A time of service mode, or of training."""

    id: str = Field(examples=["0b9d3c4e-52a1-4b1c-8a37-5a2b6c1d9e10"])
    unit: str = Field(examples=["amb-001"])
    device: str = Field(description="empty: the whole unit is in training", examples=["monitor"])
    mode: Mode
    reason: str = Field(
        description="empty for roles that may not see people, as it may name one", examples=["yearly calibration"]
    )
    started_by: str = Field(examples=["nurse.wang"])
    role: Role
    started_at: Time
    expires_at: Time
    state: State
    ended_at: Time | None
    ended_by: str | None = Field(description="gateway = it ran out", examples=["nurse.wang"])


class Measured(Answer):
    """What one device measured of one quantity in a session."""

    device: str = Field(examples=["cuff"])
    quantity: str = Field(examples=["bp-systolic"])
    unit: str = Field(description="UCUM", examples=["mm[Hg]"])
    n: int = Field(description="how often", examples=[1])
    value: float = Field(description="the last one", examples=[128])
    at: Time


class SessionRow(Answer):
    """From the identification of a person at a unit until they are done: all its devices speak for them."""

    id: int = Field(description="id of the association; correct it there if it was not they", examples=[17])
    unit: str = Field(examples=["kiosk-01"])
    subject: str = Field(description="pseudonym of the person", examples=["p-7f3a91c2"])
    source: AssociationSource
    confirmed_by: str | None = Field(
        description="who said whose session it was; null = only the card did", examples=["nurse.wang"]
    )
    start_at: Time
    end_at: Time | None = Field(description="us; null = it is on")
    end_reason: EndReason | None = Field(description="ended, replaced (by the next person), or idle")
    voided_at: Time | None = Field(description="us; somebody said that it was not this person")
    test: bool = Field(description="some of it was practice", examples=[False])
    measured: list[Measured]
    wordings: list[WordingState] = Field(description="what was measured, in words; no diagnosis")


class Correction(Request):
    """Says whose readings they really were."""

    subject: str | None = Field(
        min_length=1,
        max_length=36,
        description="pseudonym of the person; null = nobody: unbound",
        examples=["p-7f3a91c2"],
    )
    reason: Why


class SubjectValue(LatestValue):
    """A newest value, and where it was measured."""

    unit_id: str = Field(description="the unit (of the fleet) it was measured at", examples=["kiosk-01"])
    derived: bool = Field(False, description="computed here from a signal, not by the device", examples=[False])


class SubjectPoint(Answer):
    at: Time
    value: float = Field(examples=[128.0])
    unit_id: str = Field(examples=["kiosk-01"])
    device: str = Field(examples=["cuff"])


class SubjectSeries(Answer):
    quantity: str = Field(examples=["bp-systolic"])
    unit: str = Field(description="UCUM", examples=["mm[Hg]"])
    points: list[SubjectPoint]
