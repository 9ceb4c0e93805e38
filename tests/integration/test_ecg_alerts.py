"""ECG frames on the gateway's path: what the heart does is an alert within ten seconds, over kills and electrodes."""

from typing import Any

import msgspec
import pytest

from firmware_sims.condition import Condition, Rhythm
from gateway.adapters import tables
from gateway.changes import Changes
from gateway.config import load_settings
from gateway.contract.observation import Event
from gateway.contract.quantity import SECOND
from gateway.contract.topic import Channel
from gateway.contract.waveform import WaveFrame
from gateway.contract.wire import decode
from gateway.derive.derivation import DERIVED_EPOCH, Derivation
from gateway.derive.population import Placed, Population
from gateway.derive.switch import switched_off
from gateway.moves import Acknowledgement
from gateway.pipeline import Conflict
from gateway.ports import LogMessage
from gateway.rules.patient import Patient
from gateway.unpack import Unpacker
from tests.integration.care_bench import AMBULANCE, act, of
from tests.integration.path_bench import Bench
from tests.unit.ecg.st_builders import frames
from tests.unit.ecg.streams import FAST, FIBRILLATION, FRAMES_A_SECOND, NORMAL, electrode_off, simulated
from tests.unit.gateway.builders import EPOCH, NOW, event, hello

ONSET, END, SECONDS = 20, 40, 65
VF = "ventricular-fibrillation"
WARM_SECONDS = 9  # as the inbox reads them
LETHAL = {
    "asystole": Condition(rhythm=Rhythm.ASYSTOLE),
    VF: FIBRILLATION,
    "ventricular-tachycardia": Condition(rhythm=Rhythm.VENTRICULAR_TACHYCARDIA, heart_rate=180),
}
WITHIN = 10 * SECOND


class Killed(BaseException):
    """The process is gone."""


class Monitor:
    """A bedside monitor's two leads, a second of frames in each batch; it remembers what it sent, as the log does."""

    def __init__(self, bench: Bench, leads: Any) -> None:
        self.bench = bench
        self.frames = [_sent(frame) for frame in frames(leads)]
        self.second = 0

    def play(self, until: int) -> None:
        """Sends up to a second of the recording."""
        while self.second < until:
            self.bench.step(of(AMBULANCE, hello(self.bench.now)), *self._next())
            self.second += 1

    def dies_with_the_next_second(self) -> None:
        """The process is killed in the commit, and the log brings the second again."""

        async def killed(changes: Changes) -> list[Conflict]:
            raise Killed

        self.bench.pipeline.commit = killed
        with pytest.raises(Killed):
            self.bench.step(*self._next())
        self.bench.now -= SECOND
        self.restart()

    def restart(self, *, loading: bool = False) -> None:
        """``loading``: the new process has not got its analyser yet."""
        self.bench.restart()
        self.bench.stages.derivation.ready = not loading
        warm = self.frames[max(0, self.second - WARM_SECONDS) * FRAMES_A_SECOND : self.second * FRAMES_A_SECOND]
        self.bench.stages.warm([Unpacker().unpack(_logged(frame)) for frame in warm])

    def _next(self) -> list[LogMessage]:
        first = self.second * FRAMES_A_SECOND
        return [of(AMBULANCE, frame) for frame in self.frames[first : first + FRAMES_A_SECOND]]


def _sent(frame: WaveFrame) -> WaveFrame:
    return msgspec.structs.replace(frame, epoch=EPOCH, observed_at=NOW + frame.observed_at)


def _logged(frame: WaveFrame) -> LogMessage:
    return msgspec.structs.replace(of(AMBULANCE, frame), logged_at=frame.end_at)


def at(second: float) -> int:
    return NOW + round(second * SECOND)


def alerts(bench: Bench, *rules: str) -> list[dict[str, Any]]:
    """The alerts of these rules as the disk has them, oldest first."""
    names = [column.name for column in tables.alert.columns]
    found = [dict(zip(names, row, strict=True)) for row in bench.rows(tables.alert, *names)]
    return sorted((row for row in found if row["rule"] in rules), key=lambda row: row["raised_at"])


def history(bench: Bench, alert: dict[str, Any]) -> list[str]:
    return [name for id, name in bench.rows(tables.alert_event, "alert", "event") if id == alert["id"]]


def derived(bench: Bench, channel: Channel) -> list[Any]:
    """Every derived record of a channel, oldest first."""
    lane = "event" if channel is Channel.EVENT else "obs"
    ours = {
        id
        for id, epoch, of_lane in bench.rows(tables.lane, "id", "epoch", "lane")
        if (epoch, of_lane) == (DERIVED_EPOCH, lane)
    }
    return [decode(channel, row) for id, row in bench.rows(tables.record, "lane_id", "payload") if id in ours]


def rhythms(bench: Bench) -> list[tuple[str, str]]:
    return [
        (one.details["code"], one.details["state"]) for one in derived(bench, Channel.EVENT) if one.name == "rhythm"
    ]


def rates(bench: Bench) -> list[int]:
    """The seconds of the recording in which a heart rate was told."""
    found = [one for one in derived(bench, Channel.OBS) if "heart-rate" in one.values]
    return [round((one.observed_at - NOW) / SECOND) for one in found]


# ---- lethal rhythms -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", LETHAL)
def test_a_lethal_rhythm_is_a_high_alert_within_10_s_and_stays_until_somebody_has_seen_it(
    live: Bench, rule: str
) -> None:
    monitor = Monitor(live, simulated(SECONDS, (ONSET, LETHAL[rule]), (END, NORMAL)))
    monitor.play(ONSET)
    assert alerts(live, *LETHAL) == []
    monitor.play(ONSET + 10)
    [alert] = alerts(live, *LETHAL)
    assert (alert["rule"], alert["priority"], alert["state"], alert["inhibited_by"]) == (rule, "high", "firing", None)
    assert at(ONSET) < alert["raised_at"] <= at(ONSET) + WITHIN
    assert alert["subject"] == f"unit/{AMBULANCE.unit}"
    monitor.play(SECONDS)
    [alert] = alerts(live, *LETHAL)
    assert (alert["state"], alert["resolved_at"]) == ("latched", None)
    assert rhythms(live).count((rule, "off")) == 1
    act(live, lambda future: Acknowledgement(alert["id"], "dr.li", future))
    [alert] = alerts(live, rule)
    assert (alert["state"], alert["acknowledged_by"]) == ("resolved", "dr.li")


# ---- kill and restart -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("second", [15, 22, 24, 25, 26, 27, 28, 30, 45, 51, 55])
@pytest.mark.parametrize("in_commit", [False, True])
def test_a_kill_at_any_moment_loses_nothing_and_tells_nothing_twice(live: Bench, second: int, in_commit: bool) -> None:
    monitor = Monitor(live, simulated(SECONDS, (ONSET, FIBRILLATION), (END, NORMAL)))
    monitor.play(second)
    if in_commit:
        monitor.dies_with_the_next_second()
    else:
        monitor.restart()
    monitor.play(SECONDS)
    assert rhythms(live) == [(VF, "on"), (VF, "off")]
    [alert] = alerts(live, *LETHAL)
    assert alert["state"] == "latched"
    assert alert["raised_at"] <= at(ONSET) + WITHIN
    assert [name for name in history(live, alert) if name in ("raise", "latch", "reopen", "clear")] == [
        "raise",
        "latch",
    ]
    assert len(rates(live)) == len(set(rates(live)))


def test_frames_that_wait_for_the_analyser_are_looked_at_some_with_each_batch(
    live: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.derive.backlog.LOOKS_A_BATCH", 20)
    monitor = Monitor(live, simulated(SECONDS, (ONSET, FIBRILLATION), (END, NORMAL)))
    monitor.play(18)
    monitor.restart(loading=True)
    monitor.play(26)
    assert rhythms(live) == []
    live.stages.derivation.ready = True
    told_before = len(rates(live))
    live.step()
    live.now -= SECOND
    assert len(rates(live)) == told_before, "twenty looks: not even what fills the window"
    for _ in range(4):
        live.step(seconds=0)
    assert (VF, "on") in rhythms(live), "five times twenty: 45 to fill, and 40 that waited"
    monitor.play(SECONDS)
    assert rhythms(live) == [(VF, "on"), (VF, "off")]
    assert rates(live) == sorted(set(rates(live)))
    assert set(range(8, 26)) <= set(rates(live)), "nothing has been left out"


def test_what_waited_when_the_process_was_killed_again_is_told_by_the_next(live: Bench) -> None:
    """The rhythm began in frames that are stored and were never looked at."""
    monitor = Monitor(live, simulated(SECONDS, (ONSET, FIBRILLATION)))
    monitor.play(18)
    monitor.restart(loading=True)
    monitor.play(28)
    assert alerts(live, *LETHAL) == []
    monitor.restart()
    monitor.play(30)
    [alert] = alerts(live, *LETHAL)
    assert (alert["rule"], alert["state"]) == (VF, "firing")
    assert rhythms(live) == [(VF, "on")]


def test_an_adults_extreme_rate_is_told_of_no_infant(live: Bench) -> None:
    live.stages.rules.set_patients({AMBULANCE.unit: Patient("p-1", Placed(Population.INFANT))})
    monitor = Monitor(live, simulated(SECONDS, (ONSET, FAST)))
    monitor.play(45)
    assert ("extreme-tachycardia", "on") in rhythms(live), "it is found and stored"
    assert alerts(live, "extreme-tachycardia", "missed-while-blind") == []


# ---- electrodes -----------------------------------------------------------------------------------------------------


def leads(live: Bench, seq: int, name: str) -> Event:
    return event(seq, live.now + SECOND, name)


def test_electrodes_in_the_air_are_a_technical_alert_and_no_silent_heart(live: Bench) -> None:
    monitor = Monitor(live, electrode_off(simulated(SECONDS), 20, 50, "I", "II"))
    monitor.play(20)
    live.step(of(AMBULANCE, leads(live, 0, "lead-off")), seconds=0)
    monitor.play(45)
    [alert] = alerts(live, "lead-off")
    assert (alert["kind"], alert["state"], alert["raised_at"]) == ("technical", "firing", at(21))
    assert rhythms(live) == []
    assert [row["rule"] for row in alerts(live, *LETHAL, "pause", "extreme-bradycardia")] == []
    monitor.play(50)
    live.step(of(AMBULANCE, leads(live, 1, "lead-on")), seconds=0)
    monitor.play(SECONDS)
    assert alerts(live, "lead-off")[0]["state"] == "resolved"
    assert set(range(57, SECONDS)) <= set(rates(live))


def test_lead_off_mutes_what_the_ecg_says_but_not_a_lethal_alert_that_stood_before(live: Bench) -> None:
    monitor = Monitor(live, simulated(SECONDS, (ONSET, FAST)))
    monitor.play(35)
    [fast] = alerts(live, "extreme-tachycardia")
    assert (fast["state"], fast["inhibited_by"]) == ("firing", None)
    live.step(of(AMBULANCE, leads(live, 0, "lead-off")), seconds=0)
    monitor.play(36)
    [off], [fast] = alerts(live, "lead-off"), alerts(live, "extreme-tachycardia")
    assert fast["inhibited_by"] == off["id"]
    live.step(of(AMBULANCE, leads(live, 1, "lead-on")), seconds=0)
    monitor.play(38)
    assert alerts(live, "extreme-tachycardia")[0]["inhibited_by"] is None


def test_a_lethal_alert_that_stood_before_the_electrodes_came_off_stands(live: Bench) -> None:
    signal = electrode_off(simulated(SECONDS, (ONSET, FIBRILLATION)), 32, SECONDS, "I", "II")
    monitor = Monitor(live, signal)
    monitor.play(32)
    live.step(of(AMBULANCE, leads(live, 0, "lead-off")), seconds=0)
    monitor.play(SECONDS)
    [alert] = alerts(live, *LETHAL)
    assert (alert["rule"], alert["state"], alert["inhibited_by"]) == (VF, "firing", None)
    assert rhythms(live) == [(VF, "on")], "nothing says that it has ended"


# ---- switched off ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("off", "told", "rated"),
    [([], [(VF, "on")], True), (["rhythm"], [], True), (["heart-rate", "rhythm", "st-criteria"], [], False)],
)
def test_the_site_switches_derivations_off_in_its_settings(
    live: Bench, tmp_path: Any, off: list[str], told: list[tuple[str, str]], rated: bool
) -> None:
    (tmp_path / "lastmile.toml").write_text(f"[derive]\noff = {off}\n")
    names = switched_off(load_settings(tmp_path).derive.off)
    live.stages.derivation = Derivation(live.ledger, live.stages.fleet, off=names)
    Monitor(live, simulated(35, (ONSET, FIBRILLATION))).play(35)
    assert rhythms(live) == told
    assert [row["rule"] for row in alerts(live, *LETHAL)] == [code for code, _ in told]
    assert bool(rates(live)) is rated
