"""What the HTTP API speaks about the catalogue of alerts and one patient's limits. Times are us since 1970, UTC."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from gateway.api.schemas import Answer, GivenTime, Request, Time
from gateway.derive.population import Population, Pregnancy
from gateway.rules.row import Kind, Ladder, Priority

LimitReason = Annotated[
    str,
    StringConstraints(strip_whitespace=True),
    Field(min_length=3, max_length=500, description="why; kept with the limit", examples=["athlete, resting 42"]),
]
AlertCode = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,48}$", examples=["heart-rate-low"])]
_OXYGEN = "oxygen target in per cent, of somebody with hypercapnic respiratory failure; null = none is recorded"


class PersonLimitState(Answer):
    """An alert's limit for one patient."""

    id: str = Field(examples=["0f1de9ad-6a7c-4b6e-9d1c-2f1b6a1c0a11"])
    person: str = Field(description="pseudonym", examples=["7d0c8b0e-3f0e-4a6f-9a53-0d0f5a3b1c11"])
    rule: str = Field(description="code of the alert", examples=["heart-rate-low"])
    limit: float = Field(examples=[40])
    reason: str = Field(examples=["athlete, resting 42"])
    set_by: str = Field(examples=["dr.li"])
    set_at: Time
    expires_at: Time
    removed_at: Time | None = Field(description="us since 1970; null = nobody has ended it")
    removed_by: str | None = Field(examples=["dr.li"])


class PersonLimits(Answer):
    """All of one person."""

    items: list[PersonLimitState]


class NewPersonLimit(Request):
    rule: AlertCode
    limit: float = Field(ge=-1_000_000, le=1_000_000, allow_inf_nan=False, examples=[40])
    reason: LimitReason
    expires_at: Annotated[GivenTime, Field(description="us since 1970; at most 90 days from now")]


class ClinicalFacts(Request):
    """What decides which limits count for somebody. Nothing of it is ever inferred from data."""

    pregnancy: Pregnancy = Field(Pregnancy.NONE, examples=["pregnant"])
    spo2_target: str | None = Field(None, pattern="^88-92$", description=_OXYGEN, examples=["88-92"])


class ClinicalState(Answer):
    """The same, as it stands, with who said so, and the population that follows."""

    pregnancy: Pregnancy = Field(examples=["pregnant"])
    spo2_target: str | None = Field(description=_OXYGEN, examples=["88-92"])
    recorded_by: str | None = Field(examples=["dr.li"])
    recorded_at: Time | None
    population: Population = Field(examples=["adult"])
    assumed: bool = Field(description="the age is not known: adult is a guess", examples=[False])


class CatalogueRow(Answer):
    """One alert that can be raised."""

    code: str = Field(examples=["heart-rate-high"])
    kind: Kind = Field(examples=["physiological"])
    priority: Priority = Field(examples=["medium"])
    zh: str = Field(examples=["心率过高"])
    en: str = Field(examples=["Heart rate high"])
    source: str = Field(description="of limits and priority", examples=["domain facts 2.4"])
    populations: list[Population] | None = Field(description="made for; null = everybody", examples=[["adult"]])
    places: list[str] | None = Field(description="kinds of unit; null = every kind", examples=[["ambulance"]])
    condition: dict[str, Any] | None = Field(
        description="limits; durations in us of event time; null = a device or detector decides",
        examples=[{"quantity": "heart-rate", "direction": "above", "limit": 130.0, "hysteresis": 5.0}],
    )
    limits: dict[str, float] = Field(description="by population, where it is another", examples=[{"infant": 180.0}])
    latching: bool = Field(examples=[False])
    lethal: bool = Field(description="cannot be switched off", examples=[False])
    ladder: Ladder = Field(examples=["clinical"])
    inhibited_by: list[str] = Field(examples=[["lead-off"]])
    enabled: bool = Field(examples=[True])
    needs_plan: bool = Field(description="its limit follows from a person's care plan", examples=[False])
    refused: str | None = Field(
        None, description="why it does not speak of the unit's patient", examples=["made for adult; not for infant"]
    )


class AlertCatalogue(Answer):
    """Every alert as this site has it."""

    version: str = Field(description="of everything that decides; each alert names the one that made it",
                         examples=["29981d9c5cff"])  # fmt: skip
    items: list[CatalogueRow]
