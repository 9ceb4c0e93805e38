"""Missed uploads of somebody at home: tier after tier, and over with the next upload."""

from gateway.admit import Admitted, RegisteredUnit
from gateway.care.missed import UploadWatch
from gateway.contract.envelope import Lane
from gateway.contract.identity import Provenance
from gateway.contract.observation import Observation
from gateway.contract.quantity import HOUR
from gateway.contract.topic import Channel, UnitAddress, UnitKind
from gateway.contract.wire import encode
from gateway.derive.plans import CarePlan, PlanKind
from gateway.derive.scores import uploads
from gateway.fleet import Fleet, Latest
from gateway.ledger import LaneLedger
from gateway.ports import RecordFlag
from gateway.rules.hold import Edge
from gateway.rules.patient import Patient
from gateway.rules.ruleset import default_ruleset
from gateway.unpack import Route
from tests.unit.gateway.builders import EPOCH, NOW

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

    def agree(self, content: uploads.Plan | None, person: str = "p1", since: int = NOW) -> None:
        """``since``: from when the unit speaks for the person."""
        plans: dict[str, CarePlan] = {}
        if content is not None:
            plans[PlanKind.UPLOADS] = CarePlan(f"plan-of-{person}", content, "nurse", NOW, NOW + 99 * DAY)
        self.patients = {BED: Patient(person, plans=plans, since=since)}

    def upload(
        self,
        days: float,
        quantity: str = "bp-systolic",
        device: str = "cuff",
        flags: int = 0,
        value: float | None = 120,
    ) -> None:
        """Measured an hour before it comes, and the newest value of its kind."""
        at = NOW + round(days * DAY)
        body = Observation(epoch=EPOCH, seq=0, device=device, observed_at=at - HOUR, values={quantity: value})
        route = Route(self.fleet.units[BED].address, Channel.OBS, Lane.OBS)
        lane = LaneLedger(1, BED, EPOCH, Lane.OBS)
        record = Admitted(route, lane, body, at - HOUR, at, flags, encode(body))
        self.fleet.observe(BED, device, quantity, Latest(value, at - HOUR, at, device == "gateway"))
        self.watch.hear(self.fleet, record, body, self.patients[BED])

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
        "plan": "plan-of-p1", "plan_by": "nurse", "rules_version": home.ruleset.version,
    }  # fmt: skip
    assert (finding.subject, finding.unit, finding.simulated) == (f"unit/{BED}", BED, True)


def test_only_a_measurement_of_the_person_is_an_upload() -> None:
    home = Home()
    home.upload(1.0, "battery")
    home.upload(1.0, "ambient-temperature")
    home.upload(1.0, "bp-systolic", "gateway")
    home.upload(1.0, "spo2", value=None)
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
    home.watch = UploadWatch({(BED, REMIND): "p1", (BED, "heart-rate-high"): "p1"})
    assert home.told(2.2) == [(CALL, Edge.RAISE)]
    home.watch = UploadWatch({(BED, REMIND): "", (BED, CALL): "p1"})
    home.upload(2.3)
    assert home.told(2.3) == [(CALL, Edge.CLEAR), (REMIND, Edge.CLEAR)]


def test_practice_leaves_nothing_behind() -> None:
    home = Home()
    assert home.told(1.1) == [(REMIND, Edge.RAISE)]
    home.watch.judge_anew([(BED, REMIND), (BED, "lead-off")])
    assert home.told(1.1) == [(REMIND, Edge.RAISE)]


def test_what_was_practised_is_no_upload_and_takes_none_away() -> None:
    home = Home()
    home.upload(3.0)
    home.upload(3.5, flags=RecordFlag.TEST)
    home.fleet.forget_values(BED, NOW + round(3.2 * DAY), NOW + round(3.6 * DAY))
    assert home.told(4.0) == []
    assert home.told(3.0 + 26 / 24) == [(REMIND, Edge.RAISE)]


def test_nothing_is_missing_from_before_the_unit_spoke_for_the_person() -> None:
    home = Home()
    home.agree(uploads.Plan(1440, 120), since=NOW + 30 * DAY)
    assert home.told(31) == [], "the plan is a month old, the unit has come today"
    assert home.told(30 + 26 / 24) == [(REMIND, Edge.RAISE)]


def test_a_predecessors_upload_is_not_the_next_persons_nor_is_the_alert() -> None:
    home = Home()
    assert home.told(3) == [(CALL, Edge.RAISE), (REMIND, Edge.RAISE)]
    home.agree(uploads.Plan(1440, 120), "p2", since=NOW + 3 * DAY)
    assert home.told(3) == [(CALL, Edge.CLEAR), (REMIND, Edge.CLEAR)]
    home.upload(3.01)  # measured an hour ago, by whoever lay there then
    assert home.told(3 + 26 / 24) == [(REMIND, Edge.RAISE)]
    home.upload(3 + 27 / 24)
    assert home.told(3 + 27 / 24) == [(REMIND, Edge.CLEAR)]


def test_an_alert_of_another_person_ends_and_begins_anew_also_after_a_restart() -> None:
    home = Home()
    home.watch = UploadWatch({(BED, REMIND): "p0"})
    assert home.told(1.1) == [(REMIND, Edge.CLEAR), (REMIND, Edge.RAISE)]


def test_an_upload_from_another_unit_of_the_same_person_counts() -> None:
    home = Home()
    home.fleet.register(
        "bed-2", RegisteredUnit(UnitAddress("home", UnitKind.HOMECARE_BED, "bed-2"), "C", Provenance.LIVE)
    )
    home.upload(1.0)
    home.patients = {"bed-2": home.patients[BED]}
    assert home.told(2.0) == []
    assert home.told(1.0 + 26 / 24) == [(REMIND, Edge.RAISE)]


def test_only_a_home_is_asked_after_and_what_is_off_is_off() -> None:
    assert Home(UnitKind.AMBULANCE).told(9) == []
    home = Home()
    home.ruleset = default_ruleset(["missed-uploads"])
    assert home.told(9) == []
