"""What readings of a person are called, for every route that shows readings."""

from collections.abc import Callable, Iterable
from functools import cache

from sqlalchemy import Connection

from gateway.api.ports import Row
from gateway.api.services import Services
from gateway.derive.wording import Measured, Wording
from gateway.rules.patient import Patient


def wordings_of(db: Connection, person: str, values: Iterable[Row], services: Services) -> list[Wording]:
    """For who the person is now; ``values``: device, quantity, value, at."""
    return wordings_in(db, services)(person, values)


def wordings_in(db: Connection, services: Services) -> Callable[[str, Iterable[Row]], list[Wording]]:
    """The same for many readings, of whom each person is looked up once."""

    @cache
    def patient(person: str) -> Patient:
        return services.limits.patient(db, person, services.clock()) or Patient(person)

    def wordings(person: str, values: Iterable[Row]) -> list[Wording]:
        measured = [
            Measured(one["device"], one["quantity"], one["value"], one["at"])
            for one in values
            if one["value"] is not None
        ]
        return services.wordings.of(measured, patient(person).person, patient(person).plans)

    return wordings
