"""``lastmile evaluate burden``: what is a value, what is a call, and the recording at hand."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
import wfdb
from typer.testing import CliRunner

from gateway.cli import build
from gateway.contract.quantity import SECOND
from gateway.evaluate.burden import START, Bedside, Report, evaluate, plain_ruleset, play, readings
from gateway.evaluate.numerics import Numerics, Series, Values, plausible, read_folder
from gateway.evaluate.records import BrokenRecord
from gateway.rules.ruleset import default_ruleset

NAN = float("nan")


def minutes(quantity: str, *values: float, device: str = "monitor") -> Numerics:
    return Numerics("r", 60.0, (Series(device, quantity, np.array(values)),))


def write(directory: Path, **channels: Values) -> None:
    names = list(channels)
    wfdb.wrsamp(
        "one", fs=1 / 60, units=["u"] * len(names), sig_name=names, p_signal=np.stack(list(channels.values()), axis=1),
        fmt=["16"] * len(names), adc_gain=[10.0] * len(names), baseline=[0] * len(names), write_dir=str(directory),
    )  # fmt: skip


def test_zeros_and_what_admission_would_refuse_are_no_values() -> None:
    assert np.array_equal(plausible("spo2", np.array([97, 0, NAN, 101])), [97, NAN, NAN, NAN], equal_nan=True)
    assert np.array_equal(plausible("heart-rate", np.array([0.0, 400.0, 60.0])), [NAN, NAN, 60], equal_nan=True)


def test_a_folder_is_read_by_the_names_of_the_databases(tmp_path: Path) -> None:
    write(tmp_path, **{"HR": np.array([80, 0, NAN]), "NBP Sys": np.array([NAN, 120, NAN]), "CVP": np.ones(3)})
    [found] = read_folder(tmp_path)
    assert found.name == "one"
    assert found.interval == pytest.approx(60)
    assert [(one.device, one.quantity) for one in found.series] == [("monitor", "heart-rate"), ("cuff", "bp-systolic")]
    assert np.array_equal(found.series[0].values, [80, NAN, NAN], equal_nan=True)


def test_a_value_stands_for_its_minute_and_that_of_a_cuff_is_told_once() -> None:
    told = list(readings(minutes("spo2", 97, NAN, 96)))
    assert len(told) == 24
    assert {value for at, _, _, value in told if at < START + 60 * SECOND} == {97}
    assert not [at for at, *_ in told if START + 60 * SECOND <= at < START + 120 * SECOND]
    assert [at for at, *_ in readings(minutes("bp-systolic", 120, NAN, device="cuff"))] == [START]


def test_limits_are_the_same_with_and_without_delays() -> None:
    ours, plain = default_ruleset(), plain_ruleset()
    for code in ("heart-rate-high", "spo2-severe", "news2-high"):
        with_delay, without = ours.rows[code].threshold, plain.rows[code].threshold
        assert with_delay is not None
        assert without is not None
        assert with_delay.limit == without.limit
        assert (without.hysteresis, without.for_, without.clear_for) == (0, 0, 0)


@pytest.mark.parametrize(
    ("values", "product", "plain"),
    [
        ([80] * 5, 0, 0),
        ([80, 140, 140, 80], 1, 1),
        ([80, 131, 129, 131, 129, 80], 1, 2),  # about the limit: hysteresis
        ([80, 140, NAN, NAN, 140, 80], 1, 1),  # a gap ends nothing
    ],
)
def test_calls_of_a_fast_heart(values: list[float], product: int, plain: int) -> None:
    numerics = minutes("heart-rate", *values)
    assert play(numerics, default_ruleset())["heart-rate-high"] == product
    assert play(numerics, plain_ruleset())["heart-rate-high"] == plain


def test_a_graver_alert_mutes_and_releases() -> None:
    """Extremely fast at once: one call. When it is merely fast again the milder one calls."""
    calls = play(minutes("heart-rate", 80, 175, 175), default_ruleset())
    assert calls["heart-rate-severe-high"] == 1
    released = play(minutes("heart-rate", 80, 175, 175, 140, 140), default_ruleset())
    assert (released["heart-rate-severe-high"], released["heart-rate-high"]) == (1, 1)


def test_a_lethal_rhythm_calls() -> None:
    bedside = Bedside(default_ruleset())
    details = {"code": "asystole", "state": "on", "device": "monitor"}
    bedside.event("rhythm", details, START)
    assert bedside.calls == {"asystole": 1}


def test_report_and_table(tmp_path: Path) -> None:
    rate = np.full(144, 80.0)
    rate[20:25] = 175
    write(tmp_path, HR=rate)
    out = tmp_path / "out.json"
    result = CliRunner().invoke(build(["evaluate"]), ["evaluate", "burden", str(tmp_path), "--report", str(out)])
    assert result.exit_code == 0, result.output
    report = msgspec.json.decode(out.read_bytes(), type=Report)
    assert report.gross == {"patients": 1, "patient_days": pytest.approx(0.1)}
    assert report.product.high == pytest.approx(10)
    assert "heart-rate-severe-high" in result.output


def test_a_folder_without_numerics_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenRecord, match="no record with numerics"):
        evaluate(tmp_path)


@pytest.mark.data
def test_the_recording_at_hand(recordings: Path) -> None:
    report = evaluate(recordings / "icu-numerics")
    assert report.gross["patient_days"] > 1
    assert report.product.all <= report.plain.all
    assert report.product.high <= report.plain.high
    assert report.plain.all > 0
    zeros = {"heart-rate-low", "spo2-severe", "bp-systolic-severe-low"}  # what disconnected sensors would raise
    assert not zeros & {row.rule for row in report.rules}
