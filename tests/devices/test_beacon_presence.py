"""Who comes into a scanner's range and who leaves it, what is fixed and what has failed."""

import random

import pytest

from edge_agents.device import Occurrence
from edge_agents.devices._adverts import Sighting
from edge_agents.devices.beacon_scanner import Decoder
from tests.devices.beacon_site import FIXED, OTHER, SECOND, START, TAG, Site, report


def walk(site: Site, who: Sighting, *rssi: int) -> None:
    """One second per value, beside a beacon that is always heard."""
    for value in rssi:
        site.second(report(FIXED, -65), report(who, value))


def test_a_tag_that_walks_past_is_seen_and_lost() -> None:
    site = Site()
    walk(site, TAG, *range(-95, -55, 4), *range(-55, -95, -4))
    site.seconds(12, report(FIXED, -65))
    assert [event for event in site.events() if event[1] == TAG.id] == [("tag-seen", TAG.id), ("tag-lost", TAG.id)]
    (lost,) = site.named("tag-lost")
    assert lost.details["kind"] == "ibeacon"
    assert lost.details["silent_s"] == 10
    assert -95 < lost.details["rssi"] < -80
    assert "scanner_silent" not in lost.details


def test_a_tag_at_the_edge_of_the_range_does_not_flicker() -> None:
    site = Site()
    rng = random.Random(4)
    for _ in range(300):
        frames = [report(TAG, -94)] if rng.random() < 0.3 else []
        site.second(report(FIXED, -65), *frames)
    of_tag = [event for event, who in site.events() if who == TAG.id]
    assert of_tag == ["tag-seen"], "seldom heard, but always there; and no beacon of which only peaks arrive"


def test_somebody_who_only_passes_by_is_nobody() -> None:
    site = Site()
    walk(site, TAG, -90, -90)
    site.seconds(60, report(FIXED, -65))
    assert not [event for event in site.events() if event[1] == TAG.id]


def test_what_keeps_its_level_is_a_fixed_beacon_and_its_silence_is_reported() -> None:
    site = Site()
    rng = random.Random(2)
    for _ in range(90):
        site.second(report(FIXED, round(-65 + rng.gauss(0, 3))), report(OTHER, round(-70 + rng.gauss(0, 3))))
    site.seconds(20, report(OTHER, -70))
    site.seconds(5, report(FIXED, -65), report(OTHER, -70))
    of_fixed = [event for event, who in site.events() if who == FIXED.id]
    assert of_fixed == ["tag-seen", "beacon-settled", "beacon-silent", "beacon-seen-again"]
    assert [event for event, who in site.events() if who == OTHER.id] == ["tag-seen", "beacon-settled"]
    (silent,) = site.named("beacon-silent")
    assert 15 <= silent.details["silent_s"] <= 17


def test_a_beacon_that_speaks_seldom_is_given_its_time() -> None:
    site = Site()
    for second in range(400):
        site.second(report(OTHER, -70), *([report(FIXED, -65)] if second % 10 == 0 and second < 200 else []))
    of_fixed = [item for item in site.said if isinstance(item, Occurrence) and item.details.get("id") == FIXED.id]
    at = {item.name: item.observed_at for item in of_fixed}
    assert at.keys() == {"tag-seen", "beacon-settled", "beacon-silent"}
    silent_for = at["beacon-silent"] / SECOND - (START + 190)
    assert 60 < silent_for < 110, "about ten of its own intervals"


def test_a_tag_that_lay_still_and_then_walks_away_is_lost_not_broken() -> None:
    site = Site()
    walk(site, TAG, *[-62] * 80, *range(-62, -94, -2), *[-93] * 5)
    site.seconds(12, report(FIXED, -65))
    assert [event for event, who in site.events() if who == TAG.id] == [
        "tag-seen", "beacon-settled", "beacon-moved", "tag-lost",
    ]  # fmt: skip


def test_a_beacon_the_site_has_named_is_missed_without_ever_having_been_heard() -> None:
    site = Site(fixed=f"{OTHER.id}  {FIXED.id.upper()}")
    site.seconds(90, report(OTHER, -70))
    assert site.events() == [("beacon-silent", FIXED.id)]
    site.seconds(3, report(OTHER, -70), report(FIXED, -60))
    site.seconds(40, report(OTHER, -70), report(FIXED, -80))
    site.seconds(90, report(OTHER, -70))
    assert [event for event, who in site.events() if who == FIXED.id] == [
        "beacon-silent", "beacon-seen-again", "beacon-moved", "beacon-silent",
    ]  # fmt: skip
    assert site.named("beacon-silent")[1].details["kind"] == "eddystone-uid"


def test_a_site_cannot_name_more_beacons_than_can_be_followed() -> None:
    with pytest.raises(ValueError, match="at most 256"):
        Decoder(" ".join(str(n) for n in range(257)))


# ---- a scanner that hears nothing
def test_a_scanner_that_hears_nothing_says_so_and_accuses_no_beacon() -> None:
    site = Site()
    walk(site, TAG, *[*range(-60, -80, -1), *range(-80, -60)] * 3)
    settled = len(site.events())
    site.seconds(200)
    assert site.events()[settled:] == [("tag-lost", TAG.id)]
    assert site.named("tag-lost")[0].details["scanner_silent"] is True
    assert site.conditions == [{"scanner-silent"}]
    site.seconds(3, report(FIXED, -65))
    assert site.conditions == [{"scanner-silent"}, set()]
    assert ("beacon-silent", FIXED.id) not in site.events()


def test_a_clock_that_is_set_is_no_silence() -> None:
    site = Site()
    walk(site, TAG, *[-60] * 80)
    known = len(site.events())
    for jump in (86_400, -86_400, 3 * 86_400):
        site.now += jump * SECOND
        site.seconds(3, report(FIXED, -65), report(TAG, -60))
    assert len(site.events()) == known
