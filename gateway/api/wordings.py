"""What readings of a person are called, for every route that shows readings."""

from collections.abc import Iterable

from sqlalchemy import Connection

from gateway.api.ports import Row
from gateway.api.services import Services
from gateway.derive.wording import Measured, Wording
from gateway.rules.patient import Patient


def wordings_of(db: Connection, person: str, values: Iterable[Row], services: Services) -> list[Wording]:
    """For who the person is now; ``values``: device, quantity, value, at."""
    patient = services.limits.patient(db, person, services.clock()) or Patient(person)
    measured = [
        Measured(one["device"], one["quantity"], one["value"], one["at"]) for one in values if one["value"] is not None
    ]
    return services.wordings.of(measured, patient.person, patient.plans)
