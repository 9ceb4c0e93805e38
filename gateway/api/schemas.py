"""What the HTTP API speaks: requests and answers, with units and examples. Times are us since 1970, UTC."""

from typing import Annotated, Any, Generic, TypeVar

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gateway.api.passwords import MAX_LENGTH, MIN_LENGTH
from gateway.api.ports import Role
from gateway.commands.command import State
from gateway.contract.identity import AssociationSource, Provenance
from gateway.contract.topic import ID_PATTERN, UnitKind

T = TypeVar("T")
_ID = f"^{ID_PATTERN}$"
_T0 = 1_767_225_600_000_000
MAX_INSTANT = 2**53 - 1  # what a browser's number holds exactly: the year 2255

# What is answered has no bounds: a stored time is told as it is, however wrong a device's clock was.
Time = Annotated[int, Field(description="us since 1970-01-01T00:00Z", examples=[_T0])]
GivenTime = Annotated[int, Field(ge=-MAX_INSTANT, le=MAX_INSTANT, examples=[_T0])]
Id = Annotated[str, Field(pattern=_ID, examples=["amb-001"])]
AccountName = Annotated[str, Field(pattern=r"^[a-z0-9._-]{1,64}$", examples=["dr.li"])]
SiteScope = Annotated[
    list[Annotated[str, Field(pattern=rf"^(\*|{ID_PATTERN})$")]],
    Field(min_length=1, max_length=64, description='site ids, or ["*"] for every site', examples=[["city"]]),
]
NewPassword = Annotated[str, Field(min_length=MIN_LENGTH, max_length=MAX_LENGTH, examples=["four words of your own"])]

ArgumentName = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")]
Argument = (
    Annotated[bool, Field(strict=True)]
    | Annotated[int, Field(strict=True, ge=-MAX_INSTANT, le=MAX_INSTANT)]
    | Annotated[float, Field(strict=True, ge=-MAX_INSTANT, le=MAX_INSTANT)]
    | Annotated[str, Field(max_length=200)]
)

UnitId = Annotated[str, Path(pattern=_ID, description="id of a unit", examples=["amb-001"])]
Limit = Annotated[int, Query(ge=1, le=500, description="rows of one page")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the page before")]
UnitFilter = Annotated[str | None, Query(pattern=_ID, description="only this unit", examples=["amb-001"])]


class Answer(BaseModel):
    """Built from rows; a field that is not named here does not leave the gateway."""

    model_config = ConfigDict(extra="ignore", from_attributes=True)


class Request(BaseModel):
    """Refuses fields it does not know: a misspelt one must not be dropped in silence."""

    model_config = ConfigDict(extra="forbid")


class Page(Answer, Generic[T]):
    """One page of a list."""

    items: list[T]
    next: str | None = Field(None, description="cursor of the next page; null = this is the last", examples=["MTI3"])


class FieldError(Answer):
    """One field that does not fit the schema."""

    where: list[str] = Field(description="path to it", examples=[["query", "from"]])
    message: str = Field(examples=["Field required"])
    code: str = Field(examples=["missing"])


class Problem(Answer):
    """RFC 9457 problem details."""

    type: str = Field(examples=["urn:lastmile:problem:not-found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(description="a sentence for people", examples=["no such unit"])
    reason: str = Field(description="a word for programs", examples=["not-found"])
    errors: list[FieldError] | None = Field(None, description="with reason invalid-request")


# ---- session and accounts --------------------------------------------------------------------------------------------
class Credentials(Request):
    username: str = Field(min_length=1, max_length=64, examples=["dr.li"])
    password: str = Field(min_length=1, max_length=MAX_LENGTH, examples=["four words of your own"])


class PasswordChange(Request):
    password: str = Field(min_length=1, max_length=MAX_LENGTH, description="the present one", examples=["moss 39"])
    new_password: NewPassword


class SessionState(Answer):
    """Who is signed in."""

    username: str = Field(examples=["dr.li"])
    role: Role
    sites: list[str] = Field(description='site scope; ["*"] = every site', examples=[["city"]])
    demo: bool = Field(description="this is the demo: loopback only, simulated units", examples=[False])
    password_change_required: bool = Field(description="nothing works until POST /session/password", examples=[False])


class DemoCredentials(Answer):
    username: str = Field(examples=["demo"])
    password: str = Field(examples=["lastmile-demo"])


class About(Answer):
    """What this program is; needs no session."""

    version: str = Field(examples=["0.1.0"])
    demo: bool = Field(examples=[False])
    demo_login: DemoCredentials | None = Field(description="the ready login of the demo")


class AccountState(Answer):
    name: str = Field(examples=["dr.li"])
    role: Role
    sites: list[str] = Field(examples=[["city"]])
    created_at: Time
    disabled_at: Time | None
    must_change_password: bool = Field(examples=[False])


class NewAccount(Request):
    name: AccountName
    role: Role
    sites: SiteScope
    password: NewPassword = Field(description="to be replaced by its owner at the first sign-in")


class AccountChange(Request):
    """What is left out stays."""

    role: Role | None = None
    sites: SiteScope | None = None
    disabled: bool | None = Field(None, examples=[True])
    password: NewPassword | None = Field(None, description="to be replaced by its owner at the next sign-in")


# ---- registry --------------------------------------------------------------------------------------------------------
class Site(Answer):
    id: str = Field(examples=["city"])
    name: str = Field(examples=["City ambulance service"])
    units: int = Field(description="registered units that are not revoked", examples=[12])


class Unit(Answer):
    """One agent: an ambulance, a kiosk, a bed."""

    id: str = Field(examples=["amb-001"])
    site: str = Field(examples=["city"])
    kind: UnitKind
    name: str = Field(examples=["Ambulance 1"])
    provenance: Provenance
    registered_at: Time
    revoked_at: Time | None
    link: str = Field(description="online, offline, or never (not heard yet)", examples=["online"])
    link_mode: str = Field(description="full, or weak: lead II and numerics live, the rest later", examples=["full"])
    hello_at: Time | None = Field(description="its last hello, gateway's clock")
    profile: str = Field(examples=["ambulance"])
    firmware: str = Field(examples=["lastmile 0.1.0"])
    outbox_records: int | None = Field(description="records waiting at it; null while it is offline", examples=[12])
    clock_offset: int | None = Field(description="us to add to its clock to get the gateway's", examples=[-1_500])
    clock_error: int | None = Field(description="us, half width of the interval the offset lies in", examples=[8_000])
    gaps_open: int = Field(description="ranges of numbers that are missing now", examples=[0])


class Device(Answer):
    id: str = Field(examples=["monitor"])
    first_seen_at: Time
    received_at: Time | None = Field(description="newest value received from it")


# ---- people ----------------------------------------------------------------------------------------------------------
_SEEN = "empty for roles that may not see it"


class Person(Answer):
    id: str = Field(description="pseudonym", examples=["7d0c8b0e-3f0e-4a6f-9a53-0d0f5a3b1c11"])
    name: str = Field(description=f"{_SEEN}, masked for dispatchers", examples=["王小明"])
    sex: str | None = Field(examples=["male"])
    birth_date: str | None = Field(description=_SEEN, examples=["1962-04-30"])
    identifier: str | None = Field(description=_SEEN, examples=["MRN-20418"])
    created_at: Time


class NewPerson(Request):
    name: str = Field("", max_length=200, description="empty while unknown", examples=["王小明"])
    sex: str | None = Field(None, pattern="^(female|male|other|unknown)$", examples=["male"])
    birth_date: str | None = Field(None, pattern=r"^\d{4}-\d{2}-\d{2}$", examples=["1962-04-30"])
    identifier: str | None = Field(None, max_length=100, examples=["MRN-20418"])


class AssociationState(Answer):
    """Which person a device speaks for, and from when to when."""

    id: int = Field(examples=[17])
    unit: str = Field(examples=["amb-001"])
    device: str = Field(description='"*" = every device of the unit: a session', examples=["monitor"])
    subject: str = Field(description="pseudonym of the person", examples=["p-7f3a91c2"])
    start_at: Time
    end_at: Time | None
    source: AssociationSource
    confirmed_by: str | None = Field(examples=["dr.li"])
    end_reason: str | None = Field(None, description="of a session: ended, replaced or idle", examples=["ended"])
    voided_at: Time | None = Field(None, description="us; somebody said that it was not so")


class NewAssociation(Request):
    unit: Id
    device: Annotated[str, Field(pattern=_ID, examples=["monitor"])]
    subject: str = Field(min_length=1, max_length=36, description="pseudonym of the person", examples=["p-7f3a91c2"])
    start_at: GivenTime | None = Field(None, description="us; left out = now")
    end_at: GivenTime | None = Field(None, description="us; left out = it goes on; given: a late binding")
    source: AssociationSource = AssociationSource.MANUAL


class AssociationEnd(Request):
    end_at: GivenTime | None = Field(None, description="us; left out = now")


# ---- signals ---------------------------------------------------------------------------------------------------------
class LatestValue(Answer):
    device: str = Field(examples=["monitor"])
    quantity: str = Field(examples=["heart-rate"])
    unit: str = Field(description="UCUM", examples=["/min"])
    value: float | None = Field(description="null: the device says it cannot measure it now", examples=[72])
    at: Time
    received_at: Time
    derived: bool = Field(description="computed here from a signal, not by the device", examples=[False])


class Step(Answer):
    """What happened within one step of a series."""

    at: Time
    n: int = Field(description="values in the step", examples=[60])
    min: float = Field(examples=[94.0])
    max: float = Field(examples=[98.0])
    mean: float = Field(examples=[96.5])


class Point(Answer):
    at: Time
    received_at: Time
    device: str = Field(examples=["monitor"])
    value: float | None = Field(examples=[97.0])
    test: bool = Field(False, description="practice, or a device in test mode", examples=[False])


class Series(Answer):
    quantity: str = Field(examples=["heart-rate"])
    unit: str = Field(description="UCUM", examples=["/min"])
    step: int = Field(description="us; 0 = every value as it was measured", examples=[60_000_000])
    points: list[Step] | list[Point]


class Segment(Answer):
    """A stretch without a hole; -32768 means "no sample" (lead off)."""

    start_at: Time
    fs: float = Field(description="samples per second", examples=[500])
    scale: float = Field(description="physical value = sample x scale, mV for ECG", examples=[0.005])
    leads: list[str] = Field(examples=[["II"]])
    n0: int = Field(description="number of the first sample since the device's first in this epoch", examples=[30_000])
    samples: list[list[int]] = Field(description="one list per lead", examples=[[[12, 14, -32768]]])


class Waveform(Answer):
    segments: list[Segment]


class Happening(Answer):
    """Something that happened, as the unit told it."""

    at: Time
    received_at: Time
    device: str = Field(examples=["crew"])
    name: str = Field(examples=["boarded"])
    details: dict[str, Any] = Field(examples=[{"by": "crew-1"}])
    late: bool = Field(description="it came from a backlog", examples=[False])
    test: bool = Field(description="practice, or a device in test mode", examples=[False])


# ---- alerts and evidence ---------------------------------------------------------------------------------------------
class AlertState(Answer):
    id: str = Field(examples=["2b1b7c36-8d5e-5a0a-9b1c-1a2b3c4d5e6f"])
    subject: str = Field(description="what it is about", examples=["device/amb-001/monitor"])
    unit: str = Field(examples=["amb-001"])
    device: str | None = Field(examples=["monitor"])
    rule: str = Field(examples=["heart-rate-high"])
    kind: str = Field(description="physiological or technical", examples=["physiological"])
    priority: str = Field(description="low, medium or high", examples=["high"])
    state: str = Field(description="pending, firing, acknowledged, latched or resolved", examples=["firing"])
    quantity: str | None = Field(examples=["heart-rate"])
    value: float | None = Field(examples=[141.0])
    limit: float | None = Field(examples=[130.0])
    raised_at: Time
    updated_at: Time
    acknowledged_at: Time | None
    acknowledged_by: str | None = Field(examples=["dr.li"])
    resolved_at: Time | None
    simulated: bool = Field(examples=[False])


class CommandRequest(Request):
    """What somebody wants of a unit, or of one of its devices."""

    device: str = Field("", pattern=rf"^({ID_PATTERN})?$", description="empty: the unit's agent", examples=["mattress"])
    name: str = Field(pattern=r"^[a-z0-9-]{1,64}$", examples=["set-mattress-mode"])
    arguments: dict[ArgumentName, Argument] = Field({}, max_length=16, examples=[{"mode": "static"}])
    reason: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(
        min_length=3,
        max_length=500,
        pattern=r"^[^\x00]*$",
        description="why; kept with the command",
        examples=["turned to the left side"],
    )
    expires_in: int | None = Field(
        None, ge=1, le=600, description="seconds; left out = 30; a sustained command (bed-motion) has 1", examples=[30]
    )


class CommandState(Answer):
    """A command, and what became of it."""

    id: str = Field(examples=["0b9d3c4e-52a1-4b1c-8a37-5a2b6c1d9e10"])
    unit: str = Field(examples=["bed-007"])
    device: str = Field(description="empty: the unit's agent", examples=["mattress"])
    name: str = Field(examples=["set-mattress-mode"])
    arguments: dict[str, Any] = Field(examples=[{"mode": "static"}])
    reason: str = Field(description=f"{_SEEN}", examples=["turned to the left side"])
    requested_by: str = Field(examples=["nurse.wang"])
    role: Role
    requested_at: Time
    expires_at: Time
    state: State = Field(
        description="expired: never sent, so not done; unanswered: nobody knows, look at the device",
        examples=["accepted"],
    )
    sent_at: Time | None = Field(description="from here on it may have been carried out")
    ended_at: Time | None
    refusal: str | None = Field(description="why the unit or the device did not do it", examples=["bad-argument"])
    result: dict[str, Any] | None = Field(
        description="what the device says it is set to", examples=[{"mode": "static"}]
    )


class Gap(Answer):
    """Numbers of a lane that are missing, or were; see the design's gap ledger."""

    id: int = Field(examples=[3])
    unit: str = Field(examples=["amb-001"])
    epoch: str = Field(examples=["00c0ffee00c0ffee"])
    lane: str = Field(description="event, obs or wave", examples=["obs"])
    first: int = Field(examples=[4711])
    last: int = Field(description="included", examples=[4730])
    seen_at: Time
    healed_at: Time | None = Field(description="all of it came after all")
    lost_at: Time | None = Field(description="the agent has it no more")
    shed_at: Time | None = Field(description="the agent had to drop it and said so")


class Reject(Answer):
    """Input that was refused."""

    id: int = Field(examples=[21])
    received_at: Time
    subject: str = Field(description="as published", examples=["lm.v1.city.ambulance.amb-001.obs"])
    unit: str | None = Field(examples=["amb-001"])
    reason: str = Field(examples=["bad-schema"])
    detail: str = Field(examples=["spo2 is 140, expected 0 to 100"])
    whole: bool = Field(description="false: one value was refused, the record is stored", examples=[False])


class RejectWithPayload(Reject):
    payload: str = Field(description="base64 of the bytes as they came", examples=["eyJlcG9jaCI6"])


class Health(Answer):
    status: str = Field(examples=["ok"])
    canary_at: int | None = Field(
        None,
        description="when the newest committed canary of the watcher set out, us; null = none yet",
        examples=[1_792_000_000_000_000],
    )
    notifier_at: int | None = Field(
        None,
        description="when the notifier last made its round, us; null = not begun",
        examples=[1_792_000_000_000_000],
    )


class Readiness(Answer):
    ready: bool = Field(examples=[False])
    reasons: list[str] = Field(description="why not", examples=[["broker not connected"]])
