"""The simulated beacon site: what three scanners hear of the same beacons, and what a decoder makes of it."""

from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Any

import pytest

from edge_agents.device import FrameError, Occurrence, Reading
from edge_agents.devices import _adverts
from firmware_sims.devices import beacon_scanner, temperature_tag
from firmware_sims.devices.beacon_scanner import Decoder, encode
from firmware_sims.scenario import Scenario, Step, Timeline
from firmware_sims.world import Timed, World

START = 1_767_225_600_000_000
SECOND = 1_000_000
SCANNERS = ("scanner-1", "scanner-2", "scanner-3")


def world(device: str, *steps: Step, seed: int = 1) -> World:
    scenario = Scenario(title="a site", profile="beacon_site", step=list(steps))
    return World(scenario, Timeline(scenario), seed, START, device=device)


def until(timed: Iterator[Timed], seconds: float) -> list[Timed]:
    found = []
    for one in timed:
        if one.due > seconds * SECOND:
            break
        found.append(one)
    return found


def said(here: World, seconds: int) -> list[Occurrence]:
    """What an agent at this scanner says, ticking once a second."""
    decoder, items = Decoder(), list[Reading | FrameError]()
    tick = 0
    for number, (due, reading) in enumerate(until(beacon_scanner.readings(here), seconds)):
        while tick * SECOND <= due:
            items += decoder.tick(START + tick * SECOND)
            tick += 1
        if frame := encode(reading, number):
            items += decoder.feed(frame, START + due)
    assert not [item for item in items if isinstance(item, FrameError)]
    return [item for item in items if isinstance(item, Occurrence)]


def sent(here: World, seconds: int) -> list[tuple[int, str]]:
    """(when, who) of all it hears."""
    frames = [(t.due, encode(t.reading, n)) for n, t in enumerate(until(beacon_scanner.readings(here), seconds))]
    return [(due, _adverts.read_report(frame).address) for due, frame in frames if frame]


def test_all_scanners_hear_the_same_advertisement_at_the_same_time() -> None:
    here, there = (set(sent(world(name), 30)) for name in ("scanner-1", "scanner-2"))
    assert len(here & there) > 50
    only_here = {who for _, who in here - there}
    assert only_here <= {who for _, who in there}, "what one misses the other misses now and then, not for good"


def test_the_same_seed_gives_the_same_bytes() -> None:
    def played(seed: int) -> list[tuple[int, bytes]]:
        readings = islice(beacon_scanner.readings(world("scanner-2", seed=seed)), 500)
        return [(timed.due, encode(timed.reading, n)) for n, timed in enumerate(readings)]

    assert played(3) == played(3)
    assert played(3) != played(4)


@pytest.mark.parametrize(
    ("module", "device"), [(beacon_scanner, "scanner-1"), (temperature_tag, "box-1")], ids=["scanner", "tag"]
)
def test_time_goes_on_when_nothing_is_heard_any_more(module: Any, device: str) -> None:
    """Other devices of the unit wait for the next reading: also of a silent one there always is one."""
    silent = world(device, Step(at=0, device=device, set={"silent": True}))
    for before, after in pairwise(islice(module.readings(silent), 1000)):
        assert module.encode(after.reading, 0) == b""
        assert 0 <= after.due - before.due <= 10 * SECOND


@pytest.mark.parametrize("seed", range(5))
def test_a_person_who_leaves_is_lost_and_nobody_else_is(seed: int) -> None:
    away = [
        Step(at=0, device="tag-7", set={"x": 6.0, "y": 4.0}),
        Step(at=60, over=160, device="tag-7", set={"x": 198.0}),
        Step(at=100, device="beacon-1", set={"silent": True}),
    ]
    tag, other, beacon = (_identity(name) for name in ("tag-7", "tag-2", "beacon-1"))
    events = {name: said(world(name, *away, seed=seed), 300) for name in SCANNERS}
    for name in SCANNERS:
        of_tag = [event.name for event in events[name] if event.details.get("id") == tag]
        assert (of_tag[0], of_tag[-1]) == ("tag-seen", "tag-lost")
        assert of_tag.count("tag-seen") == of_tag.count("tag-lost") == 1, "no flicker"
    near_the_other = [event.name for event in events["scanner-2"] if event.details.get("id") == other]
    assert near_the_other == ["tag-seen", "beacon-settled"], "it lies still"
    near_the_beacon = [event for event in events["scanner-1"] if event.details.get("id") == beacon]
    assert [e.name for e in near_the_beacon if e.name != "beacon-telemetry"] == [
        "tag-seen", "beacon-settled", "beacon-silent",
    ]  # fmt: skip
    assert 113 < (near_the_beacon[-1].observed_at - START) / SECOND < 135


def _identity(name: str) -> str:
    here = world("scanner-1", Step(at=0, device=name, set={}))
    return next(beacon_scanner.identity(beacon) for beacon in beacon_scanner.roster(here) if beacon.name == name)
