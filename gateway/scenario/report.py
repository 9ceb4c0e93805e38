"""What a run says at its end: a table for people, JSON for programs."""

from collections.abc import Sequence
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from gateway.scenario.truth import Outcome, Verdict

SLOW: Final = 5.0  # s of scenario from an event to its being stored, from which on a verdict of FAIL is doubtful


class Latency(msgspec.Struct, frozen=True):
    """From an event at the device to its being stored, in milliseconds of this machine; None without events."""

    p50: float | None
    p99: float | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one scenario."""

    scenario: str
    title: str
    seed: int
    speed: float
    duration_s: float  # of the scenario
    machine_s: float  # what it took, start and end included
    passed: bool
    latency_ms: Latency
    truths: list[Verdict]


def latency(values_ms: Sequence[float]) -> Latency:
    """Median and 99th percentile."""
    ordered = sorted(values_ms)
    if not ordered:
        return Latency(None, None)
    p50, p99 = (round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) for share in (0.5, 0.99))
    return Latency(p50, p99)


def show(report: Report, console: Console) -> None:
    """The table on the terminal."""
    table = Table(title=f"{report.scenario}: {report.title}", title_justify="left")
    several = len({verdict.unit for verdict in report.truths}) > 1
    for column in (*(["unit"] if several else []), "truth", "expected", "seen", "delay", "verdict"):
        table.add_column(column, justify="right" if column == "delay" else "left", overflow="fold")
    for one in report.truths:
        delay = "" if one.delay_s is None else f"{one.delay_s:.1f} s"
        mark = "[green]pass" if one.verdict is Outcome.PASS else "[bold red]FAIL"
        table.add_row(*([one.unit] if several else []), one.label, one.expected, one.seen, delay, mark)
    console.print(table)
    failed = sum(one.verdict is Outcome.FAIL for one in report.truths)
    took = f"{report.duration_s:g} s of scenario in {report.machine_s:.0f} s, seed {report.seed}"
    wait = "" if report.latency_ms.p50 is None else f"; events stored after {report.latency_ms.p50:.0f} ms (median)"
    console.print(f"{len(report.truths) - failed} of {len(report.truths)} labels seen as they should be; {took}{wait}")
    lag = (report.latency_ms.p99 or 0.0) / 1000
    if failed and lag * report.speed > SLOW:
        console.print(
            f"[bold]This machine was busy: an event took up to {lag:.1f} s to be stored, {lag * report.speed:.0f} s of "
            f"the scenario. A label may have failed for that alone: try a lower --speed than {report.speed:g}."
        )


def write(report: Report) -> bytes:
    """The JSON report."""
    return msgspec.json.format(msgspec.json.encode(report)) + b"\n"
