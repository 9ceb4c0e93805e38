"""Early-warning scores on the gateway's path: records of their own, and nothing forgotten over a restart."""

from typing import Any

from gateway.adapters import tables
from gateway.adapters.entries import entries
from gateway.contract.observation import Event, Observation
from gateway.contract.quantity import SECOND
from gateway.contract.topic import Channel
from gateway.contract.wire import decode
from gateway.derive.derivation import DERIVED_EPOCH, Derivation
from gateway.derive.scores.score import Score
from tests.integration.care_bench import AMBULANCE, KIOSK, of
from tests.integration.path_bench import Bench
from tests.unit.gateway.builders import EPOCH, observation

UNIT = AMBULANCE.unit


def measure(bench: Bench, seq: int) -> None:
    """Vitals of somebody who is ill."""
    at = bench.now + SECOND
    body = observation(seq, at, resp_rate=22, spo2=95, heart_rate=115, bp_systolic=105, temperature=38.4)
    bench.step(of(AMBULANCE, body))


def enter(bench: Bench, seq: int, name: str, **details: Any) -> None:
    body = Event(epoch=EPOCH, seq=seq, device="tablet", observed_at=bench.now + SECOND, name=name, details=details)
    bench.step(of(AMBULANCE, body))


def news2(bench: Bench) -> Score:
    found = bench.stages.derivation.scores.current(UNIT)["news2"]
    assert isinstance(found, Score)
    return found


def derived(bench: Bench) -> list[dict[str, float | None]]:
    """The values of every derived record, oldest first."""
    lanes = {id for id, epoch in bench.rows(tables.lane, "id", "epoch") if epoch == DERIVED_EPOCH}
    rows = [payload for lane, payload in bench.rows(tables.record, "lane_id", "payload") if lane in lanes]
    return [body.values for row in rows if isinstance(body := decode(Channel.OBS, row), Observation)]


def assess(bench: Bench) -> None:
    enter(bench, 0, "avpu", level="voice")
    enter(bench, 1, "oxygen", state="oxygen")
    for seq in range(3):
        measure(bench, seq)


def test_a_score_is_a_record_of_the_units_own(live: Bench) -> None:
    assess(live)
    # 2 (RR 22) + 1 (95 %) + 2 (oxygen) + 1 (105) + 2 (115) + 3 (V) + 1 (38.4)
    assert news2(live).value == 12
    assert news2(live).complete
    told = [values["news2"] for values in derived(live) if values.get("news2") is not None]
    assert told == [12], "once: nothing has changed since"


def test_what_was_entered_counts_after_a_restart_too(live: Bench) -> None:
    assess(live)
    live.restart()
    live.stages.derivation.refill(entries(live.database.engine, [UNIT], live.now))
    measure(live, 3)
    measure(live, 4)
    assert news2(live).value == 12
    assert news2(live).complete


def test_a_kiosk_is_not_scored(live: Bench) -> None:
    """Whoever walks up to a kiosk is measured once, and nobody enters how awake they are."""
    live.step(of(KIOSK, observation(0, live.now + SECOND, spo2=88)))
    live.step()
    assert derived(live) == []


def test_what_the_site_has_switched_off_is_not_derived(live: Bench) -> None:
    fleet, ledger = live.stages.fleet, live.ledger
    live.stages.derivation = Derivation(ledger, fleet, off=("news2", "mews", "qsofa"))
    assess(live)
    names = {name for values in derived(live) for name in values}
    assert names
    assert not [name for name in names if name.startswith(("news2", "mews", "qsofa"))]
