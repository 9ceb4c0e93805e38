"""Missed uploads of somebody at home: tier after tier, and over with the next upload."""

from gateway.admit import RegisteredUnit
from gateway.care.missed import UploadWatch
from gateway.contract.identity import Provenance
from gateway.contract.quantity import HOUR
from gateway.contract.topic import UnitAddress, UnitKind
from gateway.derive.plans import CarePlan, PlanKind
from gateway.derive.scores import uploads
from gateway.fleet import Fleet, Latest
from gateway.rules.hold import Edge
from gateway.rules.patient import Patient
from gateway.rules.ruleset import default_ruleset
from tests.unit.gateway.builders import NOW

DAY = 24 * HOUR
BED = "bed-1"
REMIND, CALL, CONTACT, VISIT = (
    "uploads-remind-person", "uploads-nurse-calls", "uploads-second-contact", "uploads-visit",
)  # fmt: skip


class Home:
    """One unit with one person who agreed to measure once a day, two hours of grace."""

    def __init__(self, kind: UnitKind = UnitKind.HOMECARE_BED, quantity: str | None = None) -> None:
        self.fleet = Fleet()
        self.fleet.register(BED, RegisteredUnit(UnitAddress("home", kind, BED), "B", Provenance.LIVE))
        self.ruleset = default_ruleset()
        self.watch = UploadWatch()
        self.agree(uploads.Plan(1440, 120, quantity))

    def agree(self, content: uploads.Plan | None) -> None:
        plans: dict[str, CarePlan] = {}
        if content is not None:
            plans[PlanKind.UPLOADS] = CarePlan("plan-1", content, "nurse", NOW, NOW + 99 * DAY)
        self.patients = {BED: Patient("p1", plans=plans)}

    def upload(self, days: float, quantity: str = "bp-systolic", device: str = "cuff") -> None:
        at = NOW + round(days * DAY)
        self.fleet.observe(BED, device, quantity, Latest(120, at - HOUR, at, device == "gateway"))

    def told(self, days: float) -> list[tuple[str, Edge]]:
        now = NOW + round(days * DAY)
        found = self.watch.check(self.fleet, self.patients, self.ruleset, now, lambda _: False)
        return [(one.row.code, one.edge) for one in found]


def test_tiers_come_one_after_the_other_and_an_upload_ends_them_all() -> None:
    home = Home()
    found = {hour: told for hour in range(24 * 8) if (told := home.told(hour / 24))}
    assert found == {
        26: [(REMIND, Edge.RAISE)], 50: [(CALL, Edge.RAISE)], 98: [(CONTACT, Edge.RAISE)], 170: [(VISIT, Edge.RAISE)],
    }  # fmt: skip
    home.upload(8.1)
    assert home.told(8.1) == [(code, Edge.CLEAR) for code in sorted((REMIND, CALL, CONTACT, VISIT))]
    assert home.told(9) == []
    assert home.told(9.1 + 2.01 / 24) == [(REMIND, Edge.RAISE)]


def test_an_alert_says_what_is_missing_since_when_and_by_whose_plan() -> None:
    home = Home()
    home.upload(0.5)
    [finding] = home.watch.check(home.fleet, home.patients, home.ruleset, NOW + round(1.6 * DAY), lambda _: True)
    since = NOW + round(1.5 * DAY) + 2 * HOUR
    assert finding.details == {
        "missed": 1, "since": since, "last": NOW + DAY // 2, "task": "remind-person", "person": "p1",
        "plan": "plan-1", "plan_by": "nurse", "rules_version": home.ruleset.version,
    }  # fmt: skip
    assert (finding.subject, finding.unit, finding.simulated) == (f"unit/{BED}", BED, True)


def test_only_a_measurement_of_the_person_is_an_upload() -> None:
    home = Home()
    home.upload(1.0, "battery")
    home.upload(1.0, "ambient-temperature")
    home.upload(1.0, "bp-systolic", "gateway")
    assert home.told(1.1) == [(REMIND, Edge.RAISE)]
    home.upload(1.1, "weight", "scale")
    assert home.told(1.11) == [(REMIND, Edge.CLEAR)]


def test_a_plan_may_wait_for_one_quantity() -> None:
    home = Home(quantity="bp-systolic")
    home.upload(1.0, "heart-rate", "mat")
    assert home.told(1.1) == [(REMIND, Edge.RAISE)]
    home.upload(1.1)
    assert home.told(1.11) == [(REMIND, Edge.CLEAR)]


def test_a_longer_interval_takes_the_graver_tiers_back() -> None:
    home = Home()
    assert len(home.told(4.2)) == 3
    home.agree(uploads.Plan(2 * 1440, 120))
    assert home.told(4.2) == [(CONTACT, Edge.CLEAR)]


def test_the_end_of_the_plan_ends_them() -> None:
    home = Home()
    home.told(2.2)
    home.agree(None)
    assert home.told(2.2) == [(CALL, Edge.CLEAR), (REMIND, Edge.CLEAR)]


def test_a_restart_raises_nothing_twice_and_ends_what_is_over() -> None:
    home = Home()
    home.watch = UploadWatch([(BED, REMIND), (BED, "heart-rate-high")])
    assert home.told(2.2) == [(CALL, Edge.RAISE)]
    home.watch = UploadWatch([(BED, REMIND), (BED, CALL)])
    home.upload(2.3)
    assert home.told(2.3) == [(CALL, Edge.CLEAR), (REMIND, Edge.CLEAR)]


def test_practice_leaves_nothing_behind() -> None:
    home = Home()
    assert home.told(1.1) == [(REMIND, Edge.RAISE)]
    home.watch.judge_anew([(BED, REMIND), (BED, "lead-off")])
    assert home.told(1.1) == [(REMIND, Edge.RAISE)]


def test_only_a_home_is_asked_after_and_what_is_off_is_off() -> None:
    assert Home(UnitKind.AMBULANCE).told(9) == []
    home = Home()
    home.ruleset = default_ruleset(["missed-uploads"])
    assert home.told(9) == []
