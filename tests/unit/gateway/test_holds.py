"""Several devices that measure the same quantity of one unit: a clock each, one alert of them all (ADR 0029)."""

from collections.abc import Mapping

import msgspec
import pytest

from gateway.contract.quantity import SECOND
from gateway.contract.topic import UnitKind
from gateway.derive.population import Placed, Population
from gateway.rules.engine import Rules
from gateway.rules.hold import Edge, Hold, Holds
from gateway.rules.patient import Patient
from gateway.rules.threshold import Finding, Thresholds
from tests.unit.gateway.builders import NOW

UNIT = "bed-1"
Told = tuple[int, str, Edge, str | None]  # second, rule, edge, device


class Bed:
    """The rules of one unit, fed by the second; ``kill`` leaves only what a commit has written."""

    def __init__(self, kind: UnitKind = UnitKind.AMBULANCE, patient: Patient | None = None) -> None:
        self.kind, self.patient = kind, patient
        self.stored: dict[tuple[str, str], bytes] = {}
        self.latest: dict[tuple[str, str], int] = {}
        self.rules = self._rules()

    def _rules(self) -> Rules:
        rules = Rules(Thresholds(None, lambda _unit: self.kind))
        if self.patient is not None:
            rules.set_patients({UNIT: self.patient})
        return rules

    def feed(self, second: float, device: str, quantity: str, value: float) -> list[Told]:
        at = NOW + round(second * SECOND)
        self.latest[device, quantity] = at
        derived = device == "gateway"
        found = self.rules.value(UNIT, device, quantity, value, at, 0, derived=derived, simulated=False)
        self.stored |= {(subject, code): msgspec.json.encode(state) for subject, code, state in self.rules.take_dirty()}
        return [_told(one) for one in found]

    def kill(self) -> None:
        self.rules = self._rules()
        for (subject, code), state in self.stored.items():
            self.rules.thresholds.restore(subject, code, msgspec.json.decode(state, type=Holds).devices)
        for (device, quantity), at in self.latest.items():
            self.rules.thresholds.heard(UNIT, device, quantity, at)

    def run(self, seconds: range, rates: Mapping[str, float], quantity: str = "heart-rate") -> list[Told]:
        """Every device once in each step."""
        return [told for second in seconds for device, value in rates.items()
                for told in self.feed(second, device, quantity, value)]  # fmt: skip


def _told(one: Finding) -> Told:
    return (one.at - NOW) // SECOND, one.row.code, one.edge, one.device


LOW = "heart-rate-low"


@pytest.mark.parametrize("killed_at", [None, 5])
def test_a_normal_monitor_does_not_reset_the_clock_of_one_that_reads_low(killed_at: int | None) -> None:
    bed = Bed()
    found = bed.run(range(5), {"monitor": 40, "watch": 80})
    if killed_at is not None:
        bed.kill()
    found += bed.run(range(5, 30), {"monitor": 40, "watch": 80})
    assert found == [(10, LOW, Edge.RAISE, "monitor")]


def test_the_alert_stands_while_either_holds_and_ends_when_none_does() -> None:
    bed = Bed()
    found = bed.run(range(20), {"a": 40, "b": 41})
    assert found == [(10, LOW, Edge.RAISE, "a"), (10, LOW, Edge.RAISE, "b")]
    assert bed.run(range(20, 60), {"a": 80, "b": 41}) == []
    assert bed.run(range(60, 90), {"a": 80, "b": 80}) == [(70, LOW, Edge.CLEAR, "b")]


def test_a_device_that_has_gone_keeps_no_alert_once_another_measures() -> None:
    """150 s after its last word: before, it may only be slow; then the other one's clear-for counts."""
    bed = Bed()
    assert bed.run(range(12), {"a": 40, "b": 80}) == [(10, LOW, Edge.RAISE, "a")]
    assert bed.run(range(12, 400), {"b": 80}) == [(11 + 151 + 10, LOW, Edge.CLEAR, "b")]


def test_a_device_that_has_gone_keeps_its_alert_while_nobody_else_measures() -> None:
    bed = Bed()
    bed.run(range(12), {"a": 40})
    assert bed.run(range(12, 2000, 10), {"b": 97}, "spo2") == []
    assert bed.run(range(2000, 2020), {"a": 80}) == [(2010, LOW, Edge.CLEAR, "a")]


def test_what_another_takes_over_is_what_was_declared_and_no_half_duration() -> None:
    bed = Bed()
    bed.run(range(5), {"a": 40, "b": 80})
    assert bed.run(range(500, 507), {"b": 40}) == [], "five seconds of one and seven of the other are no twelve"
    assert bed.run(range(507, 512), {"b": 40}) == [(510, LOW, Edge.RAISE, "b")]


def test_the_one_that_has_gone_may_come_back() -> None:
    bed = Bed()
    bed.run(range(12), {"a": 40, "b": 80})
    bed.run(range(12, 400), {"b": 80})
    assert bed.run(range(400, 412), {"a": 40, "b": 80}) == [(410, LOW, Edge.RAISE, "a")]


def test_a_derived_value_goes_on_with_the_devices_own_clock() -> None:
    """It stands in for it, and never beside it: the five seconds until it counts are no new beginning."""
    bed = Bed()
    assert bed.run(range(5), {"monitor": 40, "gateway": 40}) == []
    assert bed.run(range(5, 12), {"gateway": 40}) == [(10, LOW, Edge.RAISE, "gateway")]
    assert bed.run(range(12, 30), {"monitor": 80, "gateway": 40}) == [(22, LOW, Edge.CLEAR, "monitor")]


@pytest.mark.parametrize("killed", [False, True])
def test_whoever_takes_over_what_was_declared_says_so_once_it_measures_the_same(killed: bool) -> None:
    """The alert still names who has gone, and whatever is wrong with that one's electrodes would mute it."""
    bed = Bed()
    bed.run(range(12), {"a": 40})
    assert bed.run(range(170, 173), {"b": 48}) == [], "neither below the limit nor over"
    if killed:
        bed.kill()
    assert bed.run(range(173, 178), {"b": 40}) == [(173, LOW, Edge.RAISE, "b")]
    if killed:
        bed.kill()
    assert bed.run(range(178, 180), {"b": 40}) == [], "once"
    assert bed.run(range(180, 200), {"b": 80}) == [(190, LOW, Edge.CLEAR, "b")]


def test_a_device_that_goes_on_for_a_derived_value_says_so_and_a_derived_value_does_not() -> None:
    bed = Bed()
    assert bed.run(range(12), {"gateway": 40}) == [(10, LOW, Edge.RAISE, "gateway")]
    assert bed.run(range(12, 15), {"monitor": 40}) == [(12, LOW, Edge.RAISE, "monitor")]
    assert bed.run(range(20, 25), {"gateway": 40}) == []


# ---- cargo ----------------------------------------------------------------------------------------------------------


def van() -> Bed:
    return Bed(UnitKind.DELIVERY_VAN)


PROBE = "cargo-temperature-1"


def test_a_logger_does_not_hide_the_refrigeration_unit_whose_probe_has_the_same_number() -> None:
    bed = van()
    found = bed.run(range(0, 660, 60), {"fridge": 20, "logger": 5}, PROBE)
    assert (120, "cargo-hot", Edge.RAISE, "fridge") in found
    assert (600, "cargo-warm", Edge.RAISE, "fridge") in found
    assert bed.run(range(660, 1320, 60), {"fridge": 5, "logger": 5}, PROBE) == [
        (960, "cargo-warm", Edge.CLEAR, "fridge"), (960, "cargo-hot", Edge.CLEAR, "fridge"),
    ]  # fmt: skip


@pytest.mark.parametrize("kill", [False, True])
def test_a_set_point_of_one_device_counts_for_the_probe_of_another(kill: bool) -> None:
    """Room-temperature goods at 6 degC: fine at a set point of 20, known from the refrigeration unit alone."""
    bed, found = van(), []
    for minute in range(45):
        found += bed.feed(minute * 60, "fridge", "set-point-temperature", 20)
        found += bed.feed(minute * 60 + 1, "logger", PROBE, 4)
        if kill and minute == 15:
            bed.kill()
    assert found == [(1801, "room-cargo-cold", Edge.RAISE, "logger")]


def test_a_probe_is_judged_by_the_set_point_of_its_own_compartment() -> None:
    bed, found = van(), []
    for minute in range(45):
        for device, point, cargo in (("room", 20, 21), ("cold", 4, 4)):
            found += bed.feed(minute * 60, device, "set-point-temperature", point)
            found += bed.feed(minute * 60, device, PROBE, cargo)
    assert found == []


def test_a_set_point_that_goes_on_does_not_end_the_alert_of_a_logger_that_has_gone() -> None:
    bed, found = van(), []
    for minute in range(120):
        found += bed.feed(minute * 60, "fridge", "set-point-temperature", 4)
        if minute < 20:
            found += bed.feed(minute * 60, "logger", PROBE, 12)
    assert found == [(600, "cargo-warm", Edge.RAISE, "logger")]


def test_oxygen_of_the_concentrator_and_saturation_of_either_oximeter() -> None:
    target = Patient("p", Placed(Population.ADULT, assumed=False), oxygen_target="88-92")
    bed, found = Bed(UnitKind.HOMECARE_BED, target), []
    for second in range(0, 120, 10):
        found += bed.feed(second, "finger", "spo2", 96)
        found += bed.feed(second, "ear", "spo2", 90)
        found += bed.feed(second + 1, "concentrator", "oxygen-flow", 2)
    assert found == [(61, "spo2-above-target", Edge.RAISE, "finger")]
    assert bed.feed(130, "ear", "spo2", 90) == []
    found = [one for second in range(131, 160) for one in bed.feed(second, "finger", "spo2", 90)]
    assert found == [(141, "spo2-above-target", Edge.CLEAR, "finger")]


# ---- databases of before --------------------------------------------------------------------------------------------


def test_an_alert_whose_clock_was_stored_before_devices_had_one_still_ends() -> None:
    bed = Bed()
    state = msgspec.json.encode(Hold(firing=True, last_at=NOW))
    bed.rules.thresholds.restore(f"unit/{UNIT}", LOW, msgspec.json.decode(state, type=Holds).devices)
    bed.rules.restore(f"unit/{UNIT}", LOW, NOW, "monitor")
    assert bed.run(range(1, 20), {"monitor": 80}) == [(11, LOW, Edge.CLEAR, "monitor")]


def test_one_that_is_over_and_waits_to_be_seen_begins_nothing() -> None:
    bed = Bed()
    bed.rules.restore(f"unit/{UNIT}", LOW, NOW)
    assert bed.run(range(1, 20), {"monitor": 80}) == []


def test_nothing_is_left_behind_when_nothing_holds_any_more() -> None:
    """A channel that is busy judges every value: it must come to rest."""
    bed = Bed()
    bed.run(range(5), {"a": 40, "b": 41})
    bed.run(range(5, 10), {"b": 80})
    assert bed.rules.thresholds.channel(UNIT, "heart-rate").busy, "a is half way"
    bed.run(range(10, 400, 10), {"b": 80})
    assert not bed.rules.thresholds.channel(UNIT, "heart-rate").busy
