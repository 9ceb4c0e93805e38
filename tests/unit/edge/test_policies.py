"""The uplink's decisions: weak link, clock, window, probes, backoff, refusals, splitting, configuration."""

import random
from itertools import pairwise
from pathlib import Path

import pytest

from edge_agents import kinds
from edge_agents.clock_offset import ClockOffset
from edge_agents.config import (
    ConfigError,
    join_links,
    load_file,
    load_profile,
    parse_broker,
    profiles,
    split_links,
)
from edge_agents.device import Numeric, Occurrence, Waveform
from edge_agents.failpoint import Failpoint
from edge_agents.link_gauge import LinkGauge, Sample
from edge_agents.probe import Probe, backoff
from edge_agents.records import lane_of, record, split_for_weak_link, unknown_words
from edge_agents.refusals import KEPT_FRAMES, REPORT_SECONDS, Refusals
from edge_agents.send_window import MIN_BYTES, START_BYTES, SendWindow
from gateway.contract.envelope import Lane, LinkMode
from gateway.contract.quantity import ECG_LEADS_12
from gateway.contract.waveform import WaveFrame

SECOND = 1_000_000


class TestWeakLink:
    def play(self, gauge: LinkGauge, seconds: int, start: int = 0, **sample: float) -> list[LinkMode]:
        """One sample a second; ``produced`` and ``delivered`` are rates."""
        rates = {"produced": 12_000.0, "delivered": 12_000.0} | sample
        return [
            gauge.sample(
                Sample(
                    now=float(t),
                    produced=int(rates["produced"] * t),
                    delivered=int(rates["delivered"] * t),
                    live_wait=rates.get("live_wait", 0.0),
                    round_trip=rates.get("round_trip", 0.1),
                    idle=bool(rates.get("idle", 0)),
                )
            )
            for t in range(start, start + seconds)
        ]

    def test_a_link_that_keeps_up_stays_full(self) -> None:
        assert set(self.play(LinkGauge(), 60)) == {LinkMode.FULL}

    def test_waiting_live_records_make_it_weak_after_five_seconds_not_before(self) -> None:
        modes = self.play(LinkGauge(), 10, live_wait=3.0)
        assert modes[:5] == [LinkMode.FULL] * 5
        assert modes[5] is LinkMode.WEAK

    def test_one_bad_second_does_not(self) -> None:
        gauge = LinkGauge()
        for start in range(0, 40, 4):
            self.play(gauge, 3, start, live_wait=3.0)
            assert self.play(gauge, 1, start + 3) == [LinkMode.FULL]

    def test_long_round_trips_make_it_weak(self) -> None:
        assert self.play(LinkGauge(), 10, round_trip=2.0)[-1] is LinkMode.WEAK

    def test_it_comes_back_only_when_throughput_proves_that_full_would_fit(self) -> None:
        gauge = LinkGauge()
        self.play(gauge, 10, live_wait=3.0)
        assert self.play(gauge, 100, 10)[-1] is LinkMode.WEAK, "no headroom"
        modes = self.play(gauge, 40, 200, delivered=20_000)
        assert modes[15] is LinkMode.WEAK
        assert modes[-1] is LinkMode.FULL

    def test_or_when_nothing_waits(self) -> None:
        gauge = LinkGauge()
        self.play(gauge, 10, live_wait=3.0)
        assert self.play(gauge, 30, 10, delivered=1000, idle=1)[-1] is LinkMode.FULL

    def test_a_relapse_asks_for_longer_proof(self) -> None:
        gauge = LinkGauge()
        self.play(gauge, 10, live_wait=3.0)
        assert self.play(gauge, 25, 10, idle=1)[-1] is LinkMode.FULL
        self.play(gauge, 10, 40, live_wait=3.0)
        assert self.play(gauge, 30, 50, idle=1)[-1] is LinkMode.WEAK
        assert self.play(gauge, 15, 80, idle=1)[-1] is LinkMode.FULL

    def test_an_operator_overrides(self) -> None:
        gauge = LinkGauge()
        gauge.override = LinkMode.WEAK
        assert self.play(gauge, 1) == [LinkMode.WEAK]
        gauge.override = LinkMode.FULL
        assert self.play(gauge, 20, 1, live_wait=9.0)[-1] is LinkMode.FULL


class TestClock:
    def test_the_offset_lies_within_the_error(self) -> None:
        rng = random.Random(5)
        for true_offset in (-3_600_000_000, -250, 0, 86_400_000_000):
            clock = ClockOffset()
            for n in range(20):
                up, down, t1 = rng.randrange(1000, 400_000), rng.randrange(1000, 400_000), n * 10 * SECOND
                t2 = t1 + up + true_offset
                clock.sample(t1, t2, t2 + 5000, t1 + up + 5000 + down, float(n * 10))
            estimate = clock.estimate(200.0)
            assert estimate is not None
            assert abs(estimate.offset - true_offset) <= estimate.error

    def test_the_shortest_round_trip_wins(self) -> None:
        clock = ClockOffset()
        clock.sample(0, 100, 100, 200, 0.0)
        clock.sample(0, 300_000, 300_000, 400_000, 1.0)
        assert clock.estimate(1.0) == clock.estimate(1.0)
        assert (clock.estimate(1.0) or pytest.fail("no estimate")).offset == 0

    def test_a_clock_that_was_set_drops_older_samples(self) -> None:
        clock = ClockOffset()
        clock.sample(0, 100, 100, 200, 0.0)
        clock.sample(0, 5 * SECOND, 5 * SECOND, 200, 1.0)
        assert abs((clock.estimate(1.0) or pytest.fail("no estimate")).offset - 5 * SECOND) < 1000

    def test_nothing_measured_is_none(self) -> None:
        assert ClockOffset().estimate(0.0) is None


class TestWindow:
    def test_it_grows_on_a_quick_link_and_shrinks_on_a_slow_one(self) -> None:
        quick, slow = SendWindow(), SendWindow()
        for window, round_trip in ((quick, 0.01), (slow, 1.0)):
            for _ in range(2000):
                sent = 0
                while window.open and sent < 400:
                    window.sent(2500)
                    sent += 1
                for _ in range(sent):
                    window.acked(2500, round_trip)
        assert quick.limit > START_BYTES
        assert slow.limit == MIN_BYTES
        assert slow.bytes == slow.records == 0

    def test_a_record_larger_than_the_window_goes_alone(self) -> None:
        window = SendWindow()
        window.sent(1 << 20)
        assert not window.open
        window.acked(1 << 20, 0.1)
        assert window.open


class TestProbe:
    def test_five_seconds_then_ever_rarer_up_to_five_minutes(self) -> None:
        probe = Probe(0.0, random.Random(1))
        times = [float(t) for t in range(4 * 3600) if probe.due(float(t))]
        assert times[0] == 5.0
        waits = [b - a for a, b in pairwise(times)]
        assert min(waits) >= 5
        assert max(waits) <= 301
        assert 40 <= len(times) <= 200, "about one in two and a half minutes in the long run"

    def test_progress_starts_over(self) -> None:
        probe = Probe(0.0, random.Random(1))
        for t in range(1000):
            probe.due(float(t))
        probe.progress(1000.0)
        assert not probe.due(1004.9)
        assert probe.due(1005.0)

    def test_backoff_is_full_jitter_up_to_the_cap(self) -> None:
        rng = random.Random(2)
        for attempt, top in ((0, 0.5), (1, 1.0), (5, 16.0), (6, 30.0), (10_000, 30.0)):
            waits = [backoff(attempt, rng) for _ in range(300)]
            assert 0 <= min(waits) < 0.1 * top
            assert 0.9 * top < max(waits) <= top


class TestRefusals:
    def test_the_first_is_reported_at_once_then_once_an_hour(self) -> None:
        refusals = Refusals()
        refusals.count("monitor", "bad-checksum", b"\xaa\x55")
        first = refusals.due(10.0)
        assert [(r.count, r.total, r.sample) for r in first] == [(1, 1, "aa55")]
        for n in range(100):
            refusals.count("monitor", "bad-checksum", bytes([n]))
        assert refusals.due(11.0) == []
        refusals.count("gnss", "no-fix", b"$")
        assert [r.device for r in refusals.due(12.0)] == ["gnss"]
        assert [(r.count, r.total) for r in refusals.due(10.0 + REPORT_SECONDS)] == [(100, 101)]
        assert refusals.due(10.0 + 3 * REPORT_SECONDS) == []

    def test_the_last_frames_are_kept_and_no_more(self) -> None:
        refusals = Refusals()
        for n in range(1000):
            refusals.count("monitor", "noise", bytes([n % 256]))
        assert len(refusals.frames) == KEPT_FRAMES
        assert refusals.totals() == {("monitor", "noise"): 1000}


def twelve_leads() -> Waveform:
    rows = b"".join(bytes([n, 0]) * 100 for n in range(12))
    return Waveform(observed_at=5, n0=700, fs=500.0, leads=ECG_LEADS_12, scale=0.005, samples=rows, filter="f")


class TestRecords:
    def test_readings_become_records_of_their_lane(self) -> None:
        numeric = Numeric(observed_at=1, values={"spo2": None}, invalid={"spo2": "no-probe"})
        assert lane_of(numeric) is Lane.OBS
        assert lane_of(Occurrence(observed_at=1, name="boarded")) is Lane.EVENT
        frame = record(twelve_leads(), "00000000000000aa", "monitor", 4)
        assert isinstance(frame, WaveFrame)
        assert (frame.n, frame.n0, frame.seq, frame.observed_at) == (100, 700, 4, 5)

    def test_a_weak_link_splits_a_frame_into_lead_ii_and_the_rest(self) -> None:
        live, rest = split_for_weak_link(twelve_leads())
        assert live is not None
        assert rest is not None
        assert (live.leads, live.samples) == (("II",), b"\x01\x00" * 100)
        assert rest.leads == tuple(name for name in ECG_LEADS_12 if name != "II")
        assert rest.samples == twelve_leads().samples[:200] + twelve_leads().samples[400:]
        assert live.n0 == rest.n0 == 700

    def test_a_pleth_waits_and_a_single_ecg_lead_does_not(self) -> None:
        pleth = Waveform(observed_at=1, n0=0, fs=60.0, leads=("pleth",), scale=1.0, samples=b"\0\0")
        assert split_for_weak_link(pleth) == (None, pleth)
        one = Waveform(observed_at=1, n0=0, fs=60.0, leads=("V5",), scale=1.0, samples=b"\0\0")
        assert split_for_weak_link(one) == (one, None)

    def test_words_the_contract_does_not_know_are_found(self) -> None:
        assert unknown_words(Numeric(observed_at=1, values={"spo2": 1.0, "mood": 2.0})) == ["mood"]


class TestConfig:
    @pytest.mark.parametrize("name", profiles())
    def test_the_profiles_load_and_their_devices_exist(self, name: str) -> None:
        profile = load_profile(name)
        assert profile.name == name
        assert {device.kind for device in profile.device if device.kind} <= set(kinds.names())

    def test_the_ambulance_begins_with_what_every_ambulance_has(self) -> None:
        assert [d.name for d in load_profile("ambulance").device][:3] == ["monitor", "gnss", "crew"]

    def test_mistakes_are_named(self) -> None:
        for bad in ("monitor", "monitor="):
            with pytest.raises(ConfigError, match="NAME=ADDRESS"):
                split_links([bad])
        with pytest.raises(ConfigError, match=r"radio: expected one of .* monitor, gnss"):
            join_links(load_profile("ambulance"), {"radio": "tcp://h:1"})
        for broker in ("host", "host:", ":1", "host:http"):
            with pytest.raises(ConfigError):
                parse_broker(broker)
        with pytest.raises(ConfigError, match=r"expected one of .*ambulance"):
            load_profile("no-such-profile")
        assert join_links(load_profile("ambulance"), split_links(["gnss=tcp://h:1"])) == {"gnss": "tcp://h:1"}

    def test_an_agent_file_is_relative_to_itself_and_names_its_mistakes(self, tmp_path: Path) -> None:
        path = tmp_path / "kiosk.toml"
        path.write_text('unit = "kiosk-1"\ntoken_file = "token"\n[link]\ncuff = "ble://AA:BB:CC:DD:EE:FF"\n')
        found = load_file(path)
        assert found.token_file == str(tmp_path / "token")
        assert found.link == {"cuff": "ble://AA:BB:CC:DD:EE:FF"}
        path.write_text('unit = "kiosk-1"\nbrokr = "h:1"\n')
        with pytest.raises(ConfigError, match=r"kiosk\.toml:2: .*brokr"):
            load_file(path)


def test_a_failpoint_counts_its_own_passes_only() -> None:
    point = Failpoint({"LASTMILE_FAILPOINT": "here:3"})
    assert [point.reached(name) for name in ("here", "there", "here", "here", "here")] == [
        False, False, False, True, False,
    ]  # fmt: skip
    assert not Failpoint({}).reached("here")
