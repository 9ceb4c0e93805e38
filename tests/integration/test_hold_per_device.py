"""Two devices that measure the same of one patient, on the gateway's path: through kills, from an older database."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import update

from gateway.adapters import tables
from gateway.contract.quantity import SECOND
from gateway.rules.hold import Hold
from tests.integration.care_bench import AMBULANCE, of
from tests.integration.path_bench import Bench
from tests.integration.test_alert_lifecycle import events, next_number, rows
from tests.unit.gateway.builders import event, hello, observation

UNIT, RULE = AMBULANCE.unit, "heart-rate-low"


def beat(bench: Bench, seconds: int, **rates: float) -> None:
    """Each device once a second."""
    for _ in range(seconds):
        first, at = next_number(bench), bench.now + SECOND
        bodies = [
            observation(first + n, at, device=device, heart_rate=rate) for n, (device, rate) in enumerate(rates.items())
        ]
        bench.step(of(AMBULANCE, hello(bench.now)), *(of(AMBULANCE, body) for body in bodies))


@pytest.mark.parametrize("killed", [False, True])
def test_a_normal_monitor_hides_no_low_one_and_half_a_duration_survives_a_kill(live: Bench, killed: bool) -> None:
    beat(live, 5, monitor=40, watch=80)
    began = live.now - 4 * SECOND
    if killed:
        live.restart()
    beat(live, 20, monitor=40, watch=80)
    [alert] = rows(live, RULE)
    assert (alert["state"], alert["device"], alert["raised_at"]) == ("firing", "monitor", began + 10 * SECOND)
    if killed:
        live.restart()
    beat(live, 9, monitor=80, watch=80)
    assert rows(live, RULE)[0]["state"] == "firing"
    beat(live, 3, monitor=80, watch=80)
    assert rows(live, RULE)[0]["state"] == "resolved"


def test_an_alert_of_two_devices_is_muted_by_the_electrodes_of_neither(live: Bench) -> None:
    beat(live, 12, monitor=150, watch=152)
    [alert] = rows(live, "heart-rate-high")
    assert (alert["device"], events(live, alert["id"])) == (None, ["raise", "join", "notify"])
    live.step(of(AMBULANCE, event(0, live.now, "lead-off")))
    assert [row["device"] for row in rows(live, "lead-off")] == ["monitor"]
    assert rows(live, "heart-rate-high")[0]["inhibited_by"] is None


def test_the_electrodes_of_one_that_has_gone_do_not_mute_what_another_measures(live: Bench) -> None:
    beat(live, 12, monitor=150)
    live.step(of(AMBULANCE, event(0, live.now, "lead-off")))
    [muted] = rows(live, "heart-rate-high")
    assert muted["inhibited_by"] is not None
    live.now += 160 * SECOND
    beat(live, 1, watch=128)
    [alert] = rows(live, "heart-rate-high")
    assert (alert["state"], alert["inhibited_by"]) == ("firing", muted["inhibited_by"]), "it measures no such thing"
    live.restart()
    beat(live, 1, watch=150)
    [alert] = rows(live, "heart-rate-high")
    assert (alert["state"], alert["device"], alert["inhibited_by"]) == ("firing", None, None)
    assert events(live, alert["id"])[-3:] == ["join", "release", "notify"]


@pytest.mark.parametrize("state", ["firing", "acknowledged"])
def test_an_alert_of_an_older_database_goes_on_and_ends(live: Bench, state: str) -> None:
    """There one hold stood for all devices."""
    beat(live, 12, monitor=40)
    old = msgspec.json.encode(Hold(firing=True, last_at=live.now)).decode()
    clock, alert = tables.rule_clock, tables.alert
    live.write(lambda c: c.execute(update(clock).where(clock.c.rule == RULE).values(state=old)))
    live.write(lambda c: c.execute(update(alert).where(alert.c.rule == RULE).values(state=state)))
    live.restart()
    beat(live, 5, monitor=40)
    assert [row["state"] for row in rows(live, RULE)] == [state]
    beat(live, 11, monitor=80)
    assert [row["state"] for row in rows(live, RULE)] == ["resolved"]


def test_what_is_stored_names_the_devices(live: Bench) -> None:
    beat(live, 3, monitor=40, watch=41)
    [state] = [state for rule, state in live.rows(tables.rule_clock, "rule", "state") if rule == RULE]
    stored: dict[str, Any] = msgspec.json.decode(state)
    assert {device: hold["since"] for device, hold in stored["devices"].items()} == {
        "monitor": live.now - 2 * SECOND, "watch": live.now - 2 * SECOND,
    }  # fmt: skip
