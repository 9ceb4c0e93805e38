"""What the HTTP API speaks about care plans, and about what readings are called. Times are us since 1970, UTC."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, field_validator

from gateway.api.schemas import Answer, GivenTime, Request, Time
from gateway.care.missed import PERSONAL
from gateway.derive.population import Population

PlanReason = Annotated[
    str,
    StringConstraints(strip_whitespace=True),
    Field(min_length=3, max_length=500, description="why; kept with the plan", examples=["six weeks after infarction"]),
]
_ID: Final = "7c1c3b7e-6d1f-4b8e-9a55-0e0c5a2b7d11"
_BPM: Final = "1/min"


class RehabPlan(Request):
    """A heart-rate range to train in. In hospital (``early``) it follows from the resting rate alone."""

    kind: Literal["rehab"] = Field(examples=["rehab"])
    resting: float = Field(ge=30, le=150, description=f"resting heart rate, {_BPM}", examples=[64])
    maximum: float | None = Field(
        None, ge=60, le=240, description=f"of an exercise test, {_BPM}; null = none was made", examples=[152]
    )
    early: Literal["infarction", "surgery"] | None = Field(
        None, description="why somebody trains in hospital; null = as an outpatient", examples=["infarction"]
    )
    ischaemic_threshold: float | None = Field(
        None, ge=60, le=240, description=f"heart rate at which ischaemia was recorded, {_BPM}", examples=[138]
    )
    beta_blocker: bool = Field(False, description="then no maximum is estimated from the age", examples=[True])


class PeakFlowPlan(Request):
    """Zones of peak flow against somebody's personal best."""

    kind: Literal["peak-flow"] = Field(examples=["peak-flow"])
    personal_best: float = Field(ge=50, le=1000, description="L/min, of good weeks", examples=[480])


class UploadsPlan(Request):
    """How often somebody at home agreed to measure."""

    kind: Literal["uploads"] = Field(examples=["uploads"])
    every_minutes: int = Field(ge=60, le=44_640, description="min between two uploads", examples=[1440])
    grace_minutes: int = Field(0, ge=0, le=10_080, description="min that an upload may be late", examples=[120])
    quantity: str | None = Field(
        None, max_length=48, description="what is awaited; null = any measurement of theirs", examples=["bp-systolic"]
    )

    @field_validator("quantity")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        if name is not None and name not in PERSONAL:
            raise ValueError("nothing that is measured of a person")
        return name


AnyPlan = Annotated[RehabPlan | PeakFlowPlan | UploadsPlan, Field(discriminator="kind")]


class NewCarePlan(Request):
    plan: AnyPlan = Field(examples=[{"kind": "peak-flow", "personal_best": 480}])
    reason: PlanReason
    expires_at: Annotated[GivenTime, Field(description="us since 1970; at most 366 days from now")]
    replaces: str | None = Field(
        None, min_length=1, max_length=36, examples=[_ID],
        description="id of the plan of this kind that counts now, which it ends; null = there is none",
    )  # fmt: skip


class CarePlanState(Answer):
    """A plan of one person."""

    id: str = Field(examples=[_ID])
    person: str = Field(description="pseudonym", examples=["7d0c8b0e-3f0e-4a6f-9a53-0d0f5a3b1c11"])
    plan: AnyPlan = Field(examples=[{"kind": "peak-flow", "personal_best": 480}])
    reason: str = Field(examples=["six weeks after infarction"])
    set_by: str = Field(examples=["dr.li"])
    set_at: Time
    expires_at: Time
    removed_at: Time | None = Field(description="us since 1970; null = nobody has ended it")
    removed_by: str | None = Field(examples=["dr.li"])
    limits: dict[str, float] = Field(
        description="alerts that stand on it, with the limit that follows", examples=[{"rehab-heart-rate-stop": 120.0}]
    )
    population: Population = Field(description="of the person now", examples=["adult"])
    refused: str | None = Field(
        description="why nothing follows from it now, for programs; null = it counts", examples=["population"]
    )
    refused_because: str | None = Field(
        description="the same, for people", examples=["made for adult; this person is pregnant"]
    )


class CarePlans(Answer):
    """All of one person, newest first."""

    items: list[CarePlanState]


class WordingState(Answer):
    """What a reading is called: a category, a class, a zone, a place in a range. It is no diagnosis."""

    name: str = Field(description="of the derivation", examples=["bp-category"])
    code: str | None = Field(description="null = refused, or there is a range and no reading yet", examples=["grade-1"])
    source: str = Field(description="of the limits", examples=["ADA Standards of Care"])
    table: str = Field(description="of the several that a site may have; empty = there is one", examples=["china"])
    at: Time | None = Field(description="us since 1970; when it was measured")
    device: str | None = Field(examples=["cuff"])
    urgent: bool = Field(description="somebody is asked to act on it", examples=[False])
    population: Population = Field(examples=["adult"])
    assumed: bool = Field(description="the age is not known: adult is a guess", examples=[False])
    numbers: dict[str, float] = Field(
        description="what it was found by, in the unit of the reading; percent: of the personal best",
        examples=[{"systolic": 142.0, "diastolic": 88.0}],
    )
    estimated: bool = Field(description="the range is a formula's, not of an exercise test", examples=[False])
    refused: str | None = Field(description="why there is no word, for programs", examples=["population"])
    reason: str | None = Field(description="the same, for people", examples=["made for adult; this person is pregnant"])


class Wordings(Answer):
    """Of one person, by name."""

    items: list[WordingState]
