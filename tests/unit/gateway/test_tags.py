"""A tag that leaves by a way out: told when the last scanner to lose it stands there."""

from typing import Any

import msgspec
import pytest

from gateway.contract.quantity import HOUR, SECOND
from gateway.contract.topic import UnitKind
from gateway.rules.engine import Rules
from gateway.rules.hold import Edge, Holds
from gateway.rules.ruleset import RulesError, Ruleset, read_ruleset
from gateway.rules.tags import TAG_LEFT, BadTag
from gateway.rules.threshold import Finding, Thresholds
from tests.unit.gateway.builders import NOW

SITE, TAG = "ward-3", "5a1c:1:7"
EXIT = b'[place.beacon-site]\nexits = ["door"]\n'


class Ward:
    """Scanners at a bed, in the corridor and at the door."""

    def __init__(self, policy: bytes = EXIT) -> None:
        self.ruleset = read_ruleset(policy)
        self.stored: dict[tuple[str, str], bytes] = {}
        self.serviced: set[str] = set()
        self.rules = rules_of(self.ruleset)

    def say(self, second: float, scanner: str, name: str, *, age: int = 0, **details: Any) -> list[Finding]:
        found = self.rules.report(
            SITE, scanner, name, {"id": TAG, "kind": "ibeacon"} | details, NOW + round(second * SECOND),
            simulated=False, mutes=self.serviced.__contains__, age=age,
        )  # fmt: skip
        self.stored |= {(subject, code): msgspec.json.encode(state) for subject, code, state in self.rules.take_dirty()}
        return found

    def seen(self, second: float, scanner: str, **more: Any) -> list[Edge]:
        return [one.edge for one in self.say(second, scanner, "tag-seen", **more)]

    def lost(self, second: float, scanner: str, silent: float = 10, **more: Any) -> list[Edge]:
        return [one.edge for one in self.say(second, scanner, "tag-lost", silent_s=silent, **more)]

    def restart(self) -> None:
        self.rules = rules_of(self.ruleset)
        for (subject, code), state in self.stored.items():
            self.rules.thresholds.restore(subject, code, msgspec.json.decode(state, type=Holds).devices)


def rules_of(ruleset: Ruleset) -> Rules:
    return Rules(Thresholds(ruleset, lambda _unit: UnitKind.BEACON_SITE))


def walk_to_the_door(ward: Ward) -> None:
    assert ward.seen(0, "bed") == []
    assert ward.seen(20, "corridor") == []
    assert ward.lost(50, "bed") == []
    assert ward.seen(60, "door") == []
    assert ward.lost(90, "corridor") == []


@pytest.mark.parametrize("restart", [False, True])
def test_who_goes_out_by_the_door_is_missed_until_somebody_hears_them_again(restart: bool) -> None:
    ward = Ward()
    walk_to_the_door(ward)
    if restart:
        ward.restart()
    [left] = ward.say(120, "door", "tag-lost", silent_s=10)
    assert (left.row.code, left.edge, left.unit, left.device) == (TAG_LEFT, Edge.RAISE, SITE, "door")
    assert left.subject == f"unit/{SITE}/tag/{TAG}"
    assert left.details["id"] == TAG
    if restart:
        ward.restart()
        assert ward.rules.check(NOW + 121 * SECOND) == [], "no limit of a patient has anything to do with it"
    assert ward.seen(300, "door") == [Edge.CLEAR]


def test_a_nearer_scanner_that_takes_longer_to_miss_it_was_not_the_last_to_hear_it() -> None:
    ward = Ward()
    ward.seen(0, "corridor")
    ward.seen(10, "door")
    assert ward.lost(60, "door", silent=10) == [], "the corridor still waits for it"
    [left] = ward.say(75, "corridor", "tag-lost", silent_s=50)
    assert (left.edge, left.device) == (Edge.RAISE, "door")


def test_who_comes_back_from_the_door_has_not_left() -> None:
    ward = Ward()
    walk_to_the_door(ward)
    assert ward.seen(100, "corridor") == []
    assert ward.lost(120, "door") == []
    assert ward.lost(200, "corridor") == [], "out of range, inside"


def test_a_scanner_that_has_failed_hears_nobody() -> None:
    ward = Ward()
    walk_to_the_door(ward)
    ward.seen(95, "corridor")
    ward.say(100, "corridor", "condition", code="scanner-silent", state="on")
    assert ward.lost(120, "door") == [Edge.RAISE]


def test_it_may_be_the_scanner_that_is_gone() -> None:
    ward = Ward()
    walk_to_the_door(ward)
    assert ward.lost(120, "door", scanner_silent=True) == []


def test_a_site_that_names_no_exit_is_told_of_nobody() -> None:
    ward = Ward(b"")
    walk_to_the_door(ward)
    assert ward.lost(120, "door") == []


@pytest.mark.parametrize(
    "policy",
    [b"enabled = false", b'hours = "00:00-00:01"'],
)
def test_a_site_may_not_want_to_be_told_now(policy: bytes) -> None:
    ward = Ward(EXIT + b"[alert.tag-left]\n" + policy)
    walk_to_the_door(ward)
    assert ward.lost(120, "door") == []


def test_what_came_too_late_pages_nobody_but_counts() -> None:
    ward = Ward()
    walk_to_the_door(ward)
    assert ward.lost(120, "door", age=HOUR + 1) == []
    assert ward.lost(119, "door") == [], "an older word than the last"


def test_a_scanner_in_service_mode_raises_nothing() -> None:
    ward = Ward()
    walk_to_the_door(ward)
    ward.serviced = {"door"}
    assert ward.lost(120, "door") == []


def test_two_tags_are_two_alerts() -> None:
    ward = Ward()
    for tag in ("a", "b"):
        ward.say(0, "door", "tag-seen", id=tag)
    found = [one.subject for tag in ("a", "b") for one in ward.say(60, "door", "tag-lost", id=tag, silent_s=10)]
    assert found == [f"unit/{SITE}/tag/a", f"unit/{SITE}/tag/b"]


@pytest.mark.parametrize("id", [None, "", 7, "x" * 65])
def test_a_tag_without_a_name_is_refused(id: object) -> None:
    with pytest.raises(BadTag):
        Ward().say(0, "door", "tag-seen", id=id)


def test_an_exit_is_the_name_of_a_device() -> None:
    with pytest.raises(RulesError, match=r"place\.beacon-site"):
        read_ruleset(b'[place.beacon-site]\nexits = ["the door"]\n')
    with pytest.raises(RulesError, match=r"place\.beacon-site"):
        read_ruleset(b'[place.beacon-site]\nexits = "door"\n')


def test_the_exits_are_part_of_the_version() -> None:
    assert read_ruleset(EXIT).version != read_ruleset(b"").version
