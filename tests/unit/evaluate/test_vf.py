"""True and false lethal alarms, judged by hand, and on real fibrillation."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from gateway.derive.ecg.rhythm import RhythmEdge
from gateway.evaluate.records import Annotations, Recording, Samples, read_cudb, read_wfdb
from gateway.evaluate.vf import add_up, episodes, evaluate, score
from gateway.evaluate.watch import watch

FS = 100.0
VF, VT, ASYSTOLE = "ventricular-fibrillation", "ventricular-tachycardia", "asystole"


def recording(*marks: tuple[float, str], comments: tuple[str, ...] = (), seconds: int = 400) -> Recording:
    """Annotations at seconds: a rhythm when it begins with a bracket and is longer than a symbol."""
    annotations = Annotations(
        np.array([round(at * FS) for at, _ in marks], np.int64),
        ["+" if len(mark) > 1 else mark for _, mark in marks],
        [mark if len(mark) > 1 else "" for _, mark in marks],
    )
    return Recording("x", FS, {"II": np.zeros(seconds * round(FS))}, annotations, comments)


def run(start: float, beats: int, rate: float) -> list[tuple[float, str]]:
    return [(start + beat * 60 / rate, "V") for beat in range(beats)]


def edge(code: str, on: bool, at: float) -> RhythmEdge:
    return RhythmEdge(code, on, round(at * FS), round((at - 3) * FS), {})


def in_seconds(stretches: list[tuple[int, int]]) -> list[tuple[float, float]]:
    return [(start / FS, end / FS) for start, end in stretches]


def test_what_counts_as_an_episode() -> None:
    assert in_seconds(episodes(recording((10, "["), (20, "]"), (30, "N")))) == [(10, 20)]
    assert in_seconds(episodes(recording((9, "(VFL"), (10, "["), (20, "]"), (21, "(N")))) == [(9, 21)]
    assert len(episodes(recording(*run(10, 5, 101), (15, "N")))) == 1
    assert episodes(recording(*run(10, 4, 150), (15, "N"))) == []
    assert episodes(recording(*run(10, 8, 60), (30, "N"))) == []
    assert len(episodes(recording(*run(10, 6, 150)))) == 1, "the record ends with the run"


def test_a_file_of_beats_that_nobody_has_looked_at_hides_no_marked_tachycardia() -> None:
    """As in VFDB beside a program's beats: the reference marks rhythms only."""
    given = recording((100, "(VT"), (110, "(N"))
    beats = recording((20, "N"), *run(50, 6, 150), (120, "N")).annotations
    found = episodes(msgspec.structs.replace(given, beat_file=beats))
    assert in_seconds(found) == [(100, 110)]


def test_an_alarm_is_false_when_nothing_is_within_10_s() -> None:
    given = recording((100, "["), (120, "]"), (200, "(VT"), (203, "(N"))
    told = [edge(VF, on, at) for at, on in ((89, True), (91, False), (129, True), (140, False), (150, True))]
    found = score(given, [*told, edge(VT, True, 212)])
    assert [(alarm.at, alarm.true) for alarm in found.alarms] == [(89, False), (129, True), (150, False), (212, True)]
    assert add_up([found]).false_by_code == {VF: 2, VT: 0, ASYSTOLE: 0}
    assert add_up([found]).positive_predictivity == 0.5


def test_a_reference_pause_makes_asystole_true() -> None:
    given = recording((10, "N"), (14.5, "N"), (15, "N"), (60, "(N"))
    assert [alarm.true for alarm in score(given, [edge(ASYSTOLE, True, 14)]).alarms] == [True]
    assert [alarm.true for alarm in score(given, [edge(ASYSTOLE, True, 40)]).alarms] == [False]


@pytest.mark.parametrize(
    ("edges", "delay"),
    [
        ([edge(VF, True, 106)], 6.0),
        ([edge(VT, True, 104), edge(VF, True, 106)], 4.0),
        ([edge(VF, True, 90)], 0.0),
        ([edge(VF, True, 80), edge(VF, False, 99)], None),
        ([edge(VF, True, 110.5)], None),
        ([edge("extreme-tachycardia", True, 104)], None),
    ],
)
def test_an_episode_is_found_by_a_lethal_alarm_within_10_s(edges: list[RhythmEdge], delay: float | None) -> None:
    found = score(recording((100, "["), (130, "]")), edges).episodes
    assert [episode.delay for episode in found or []] == [delay]


def test_without_annotations_alarms_are_neither_true_nor_false() -> None:
    given = msgspec.structs.replace(recording(), annotations=None)
    found = score(given, [edge(VF, True, 50)])
    assert (found.flagged, found.first_at, found.episodes) == (True, 50, None)
    assert found.alarms[0].true is None
    gross = add_up([found])
    assert (gross.flagged, gross.false_lethal_alarms, gross.sensitivity) == (1, 0, None)


def test_asystole_alone_does_not_flag_fibrillation() -> None:
    assert not score(recording(), [edge(ASYSTOLE, True, 50)]).flagged


@pytest.mark.parametrize(
    ("edges", "raised"),
    [
        ([], False),
        ([edge(ASYSTOLE, True, 298)], True),
        ([edge(ASYSTOLE, True, 280), edge(ASYSTOLE, False, 295)], True),
        ([edge(ASYSTOLE, True, 200), edge(ASYSTOLE, False, 220)], False),
        ([edge(ASYSTOLE, True, 310)], False),
        ([edge(VF, True, 298)], False),
    ],
)
def test_agreement_with_a_bedside_monitor(edges: list[RhythmEdge], raised: bool) -> None:
    found = score(recording(comments=("Asystole", "False alarm")), edges).monitor_alarm
    assert found is not None
    assert (found.true, found.raised) == (False, raised)


def part(record: Recording, lead: str, start: float, end: float) -> Recording:
    """Some seconds of it, with their annotations."""
    first, last = round(start * record.fs), round(end * record.fs)
    given = record.annotations
    kept: Samples | None = None if given is None else np.flatnonzero((given.samples >= first) & (given.samples < last))
    annotations = (
        Annotations(given.samples[kept] - first, [given.symbols[i] for i in kept], [given.notes[i] for i in kept])
        if given is not None and kept is not None
        else None
    )
    return Recording(record.name, record.fs, {lead: record.signals[lead][first:last]}, annotations, record.comments)


@pytest.mark.data
@pytest.mark.parametrize(("start", "end"), [(20, 62), (1525, 1580)])
def test_record_207_flutters_and_is_told_within_10_s(recordings: Path, start: float, end: float) -> None:
    given = part(read_wfdb(recordings / "ecg-mitdb" / "207"), "MLII", start, end)
    found = score(given, watch(given))
    assert found.episodes
    assert all(episode.delay is not None for episode in found.episodes)
    assert all(alarm.true for alarm in found.alarms)


@pytest.mark.data
def test_the_start_of_fibrillation_is_told_and_not_the_quiet_before(recordings: Path) -> None:
    """cu11 fibrillates from about 372 s (looked at)."""
    given = part(read_cudb(recordings / "ecg-cudb" / "cu11m.mat.gz"), "ECG", 330, 400)
    found = score(given, watch(given))
    assert found.first_at is not None
    assert 40 < found.first_at < 52


@pytest.mark.data
def test_the_false_alarm_of_an_icu_monitor_is_not_raised(recordings: Path) -> None:
    given = read_wfdb(recordings / "icu-alarms" / "a103l")
    found = score(given, watch(given))
    assert found.alarms == []
    assert found.monitor_alarm is not None
    assert not found.monitor_alarm.raised


@pytest.mark.data
@pytest.mark.parametrize(("name", "start", "end"), [("116", 1335, 1380), ("208", 1365, 1400), ("108", 1205, 1240)])
def test_moving_electrodes_raise_nothing_lethal(recordings: Path, name: str, start: float, end: float) -> None:
    given = part(read_wfdb(recordings / "ecg-mitdb" / name), "MLII", start, end)
    assert score(given, watch(given)).alarms == []


@pytest.mark.data
@pytest.mark.slow
def test_every_record_of_a_ventricular_tachyarrhythmia_is_flagged(recordings: Path) -> None:
    found = evaluate(recordings / "ecg-cudb")
    assert [record.name for record in found.records if not record.flagged] == []
    assert found.gross.flagged == len(list((recordings / "ecg-cudb").glob("cu*.mat.gz"))) > 0


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.timeout(600)  # a minute of CPU
def test_hardly_any_lethal_alarm_on_the_arrhythmia_database_is_false(recordings: Path) -> None:
    found = evaluate(recordings / "ecg-mitdb")
    assert (found.gross.records, found.skipped) == (len(list((recordings / "ecg-mitdb").glob("*.hea"))), [])
    assert found.gross.lethal_alarms > found.gross.false_lethal_alarms, "silence would have no false ones either"
    assert found.gross.false_lethal_alarms <= 2, found.gross.false_by_code
