"""Whose episode an alert is: of which device, place and person."""

from gateway.alerts.book import AlertBook
from tests.unit.alerts.clinic import Clinic

MEDIUM = "heart-rate-high"


def test_a_derived_value_gives_way_to_the_device_it_stood_in_for() -> None:
    clinic = Clinic()
    assert clinic.begin(MEDIUM, device="gateway").device == "gateway"
    assert clinic.begin(MEDIUM, device="monitor").device == "monitor"
    assert clinic.begin(MEDIUM, device="watch").device is None


def test_another_place_or_another_person_is_another_episode() -> None:
    clinic, whose = Clinic(), {"ward-1": "person/a"}
    clinic.book = AlertBook([], group_of=lambda unit: whose.get(unit, f"unit/{unit}"))
    clinic.lifecycle.book = clinic.book
    first = clinic.begin(MEDIUM)
    clinic.end(MEDIUM, seconds=1)
    assert clinic.begin(MEDIUM, seconds=1).id == first.id
    clinic.end(MEDIUM, seconds=1)
    whose["ward-1"] = "person/b"
    second = clinic.begin(MEDIUM, seconds=1)
    assert (second.id != first.id, second.group_key, second.reopened) == (True, "person/b", 0)
    clinic.end(MEDIUM, seconds=1)
    moved = clinic.begin(MEDIUM, "amb-1", seconds=1, subject="unit/ward-1")
    assert (moved.unit, moved.reopened) == ("amb-1", 0)
