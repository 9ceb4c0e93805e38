"""12-lead frames through the gateway's path: an ST elevation asks a physician to read, once, with its window."""

import json
from functools import cache
from typing import Any

from msgspec.structs import replace

from firmware_sims.condition import Condition
from gateway.adapters import tables
from gateway.contract.envelope import Lane
from gateway.contract.observation import Event
from gateway.contract.quantity import SECOND
from gateway.contract.topic import Channel
from gateway.contract.waveform import NO_SAMPLE, WaveFrame
from gateway.contract.wire import decode
from gateway.derive.derivation import DERIVED_EPOCH, Derivation
from gateway.rules.switches import ECG_READ, ST_EVENT
from tests.integration.care_bench import AMBULANCE, of
from tests.integration.path_bench import Bench
from tests.unit.ecg.st_builders import Leads, frames, recorded
from tests.unit.gateway.builders import EPOCH

LONG = 75  # s: two windows of the watch


@cache
def elevated() -> Leads:
    return recorded(Condition(st_inferior=0.3), seconds=LONG)


def ride(bench: Bench, sent: list[WaveFrame]) -> int:
    """A second of frames to each batch; when the first sample was taken."""
    start = bench.now
    for second in range(0, len(sent), 5):
        batch = [
            of(AMBULANCE, replace(frame, epoch=EPOCH, observed_at=start + frame.observed_at))
            for frame in sent[second : second + 5]
        ]
        bench.step(*batch)
    bench.step()
    return start


def readings(bench: Bench) -> list[str]:
    """Ids of every alert that asked for a reading."""
    return [id for id, rule in bench.rows(tables.alert, "id", "rule") if rule == ECG_READ]


def explained(bench: Bench, alert: str) -> list[dict[str, Any]]:
    """What made each occurrence of the alert."""
    rows = [json.loads(details) for of, details in bench.rows(tables.alert_event, "alert", "details") if of == alert]
    return [row for row in rows if "judged" in row]


def told(bench: Bench) -> list[Event]:
    """The events the gateway derived from the twelve leads."""
    own = {id for id, *of in bench.rows(tables.lane, "id", "epoch", "lane") if of == [DERIVED_EPOCH, Lane.EVENT.value]}
    rows = [payload for lane, payload in bench.rows(tables.record, "lane_id", "payload") if lane in own]
    said = [decode(Channel.EVENT, row) for row in rows]
    return [one for one in said if isinstance(one, Event) and one.name == ST_EVENT]


def without(frame: WaveFrame, lead: str) -> WaveFrame:
    """The frame while that electrode is off."""
    row = frame.leads.index(lead) * 2 * frame.n
    blank = NO_SAMPLE.to_bytes(2, "little", signed=True) * frame.n
    return replace(frame, samples=frame.samples[:row] + blank + frame.samples[row + len(blank) :])


def test_an_st_elevation_asks_for_one_reading_with_its_window(live: Bench) -> None:
    start = ride(live, frames(elevated()))
    [alert] = readings(live)
    [why] = explained(live, alert)
    assert (why["device"], why["from"], why["to"]) == ("monitor", start, start + 10 * SECOND)
    met = {row["lead"] for row in why["judged"] if row["mv"] >= row["threshold"]}
    assert {"II", "III", "aVF"} <= met
    assert "needs physician reading" in why["statement"]["en"]
    [event] = told(live)
    assert event.details["to"] == why["to"], "the second window says the same: nobody is asked twice"


def test_a_normal_ecg_asks_nobody(live: Bench) -> None:
    ride(live, frames(recorded(Condition(), seconds=15)))
    assert (readings(live), told(live)) == ([], [])


def test_nothing_is_read_from_leads_that_are_off(live: Bench) -> None:
    ride(live, [without(frame, "V3") for frame in frames(elevated())[:75]])
    assert (readings(live), told(live)) == ([], [])


def test_nothing_is_read_from_a_monitoring_filter(live: Bench) -> None:
    ride(live, frames(elevated(), "0.5-40 Hz")[:75])
    assert (readings(live), told(live)) == ([], [])


def test_a_site_that_switched_it_off_is_not_asked(live: Bench) -> None:
    live.stages.derivation = Derivation(live.ledger, live.stages.fleet, off=("st-criteria",))
    ride(live, frames(elevated())[:75])
    assert (readings(live), told(live)) == ([], [])
    assert ("heart-rate", True) in live.rows(tables.latest, "quantity", "derived"), "all else goes on"
