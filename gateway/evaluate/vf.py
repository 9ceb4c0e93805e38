"""``lastmile evaluate vf``: lethal rhythms, fibrillation, tachycardia and asystole, and false alarms of them.

An episode by reference is ventricular flutter or fibrillation (``[`` to ``]``, rhythm ``(VFL`` or ``(VF``), or five or
more ventricular beats running faster than 100/min; where the reference marks rhythms only, a ``(VT`` that is as long as
those five. It is found when a lethal alarm is on within 10 s of its onset. An alarm is false when within 10 s of it
there is neither an episode, nor a rhythm marked ``(VT``, nor, for asystole, a reference interval of 4 s or a rhythm
marked ``(ASYS``. Without annotations it is only told what was raised and when; of recordings of the PhysioNet/CinC
Challenge 2015, which end at a bedside monitor's alarm, whether ours agrees with that alarm.
"""

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec

from gateway.derive.ecg.rhythm import LETHAL, RhythmEdge
from gateway.evaluate.ec57 import FLUTTER_ON, flutter
from gateway.evaluate.records import BEATS, Recording, Skipped, read_folder
from gateway.evaluate.watch import Stretch, length, rhythm_lead, rhythms, watch

WITHIN_SECONDS: Final = 10.0
RUN_BEATS: Final = 5
RUN_RATE: Final = 100.0  # 1/min
VENTRICULAR: Final = frozenset("VE")  # premature and escape
FLUTTER: Final = frozenset({"(VFL", "(VF", "(VFIB"})  # flutter and fibrillation, as MITDB and VFDB spell them
TACHYCARDIA: Final = "(VT"
STANDSTILL: Final = "(ASYS"
ASYSTOLE: Final = "asystole"
ASYSTOLE_SECONDS: Final = 4.0
MONITOR_ALARM_AT: Final = 300.0  # s; PhysioNet/CinC Challenge 2015
MONITOR_ALARMS: Final = {
    "asystole": ASYSTOLE,
    "bradycardia": "extreme-bradycardia",
    "tachycardia": "extreme-tachycardia",
    "ventricular_tachycardia": "ventricular-tachycardia",
    "ventricular_flutter_fib": "ventricular-fibrillation",
}
VERDICTS: Final = {"true alarm": True, "false alarm": False}


class Alarm(msgspec.Struct, frozen=True):
    """A lethal rhythm told. ``true`` is None without a reference; ``until`` None when it still lasted at the end."""

    code: str
    at: float  # s
    since: float
    until: float | None
    true: bool | None


class Episode(msgspec.Struct, frozen=True):
    """A lethal rhythm by reference. ``delay``: s from its onset to the first alarm, 0 when one was on, None: missed."""

    start: float
    end: float
    delay: float | None


class MonitorAlarm(msgspec.Struct, frozen=True):
    """The bedside monitor's alarm at the end of a recording, what experts said of it, and whether we raise it."""

    name: str
    true: bool
    raised: bool


class RecordFigures(msgspec.Struct, frozen=True):
    """One record."""

    name: str
    lead: str
    seconds: float
    flagged: bool
    first_at: float | None  # s; first fibrillation or tachycardia
    alarms: list[Alarm]
    episodes: list[Episode] | None  # None without a reference
    monitor_alarm: MonitorAlarm | None


class Gross(msgspec.Struct, frozen=True):
    """All records together."""

    records: int
    hours: float
    flagged: int
    lethal_alarms: int
    episodes: int
    episodes_in_time: int
    sensitivity: float | None  # episodes with an alarm within 10 s of their onset
    positive_predictivity: float | None  # of alarms in records with a reference
    false_lethal_alarms: int
    false_by_code: dict[str, int]
    true_monitor_alarms: int
    true_monitor_alarms_raised: int
    false_monitor_alarms: int
    false_monitor_alarms_raised: int


class Report(msgspec.Struct, frozen=True):
    """What the command prints and writes."""

    task: str
    gross: Gross
    records: list[RecordFigures]
    skipped: list[Skipped] = []
    within_seconds: float = WITHIN_SECONDS


def evaluate(directory: Path) -> Report:
    """Plays every record."""
    folder = read_folder(directory)
    records = [score(recording, watch(recording)) for recording in folder]
    return Report("vf", add_up(records), records, folder.skipped)


def has_reference(recording: Recording) -> bool:
    """Whether a reader has said what the heart did."""
    given = recording.annotations
    return given is not None and (given.has_beats or FLUTTER_ON in given.symbols or bool(rhythms(recording)))


def score(recording: Recording, edges: list[RhythmEdge]) -> RecordFigures:
    """Compares what was told with the reference, if there is one."""
    fs, size = recording.fs, length(recording)
    reference = episodes(recording) if has_reference(recording) else None
    alarms = [judge(alarm, recording, reference) for alarm in lethal(edges, fs)]
    first = [alarm.at for alarm in alarms if alarm.code != ASYSTOLE]
    return RecordFigures(
        name=recording.name,
        lead=rhythm_lead(recording),
        seconds=size / fs,
        flagged=bool(first),
        first_at=min(first, default=None),
        alarms=alarms,
        episodes=None if reference is None else [found(stretch, alarms, fs) for stretch in reference],
        monitor_alarm=monitor_alarm(recording, edges),
    )


def lethal(edges: list[RhythmEdge], fs: float) -> list[Alarm]:
    """The lethal alarms in order of time."""
    alarms: list[Alarm] = []
    for code in LETHAL:
        ours = [edge for edge in edges if edge.code == code]
        for number, edge in enumerate(ours):
            if edge.on:
                until = ours[number + 1].sample / fs if number + 1 < len(ours) else None
                alarms.append(Alarm(code, edge.sample / fs, edge.since / fs, until, None))
    return sorted(alarms, key=lambda alarm: alarm.at)


def episodes(recording: Recording) -> list[Stretch]:
    """The lethal rhythms of the reference, in order; those that overlap are one."""
    if recording.annotations is None:
        return []
    marked = [stretch for stretch, note in rhythms(recording) if note in FLUTTER]
    merged: list[Stretch] = []
    for start, end in sorted([*marked, *flutter(recording.annotations, length(recording)), *runs(recording)]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def runs(recording: Recording) -> list[Stretch]:
    """Five or more ventricular beats running, faster than 100/min; or marked as such where the reference has no beats.

    A file of beats beside such a reference is not asked: nobody may have looked at it, and few tell ventricular beats.
    """
    marked = recording.annotations
    if marked is None or not marked.has_beats:
        shortest = 60.0 * (RUN_BEATS - 1) / RUN_RATE * recording.fs
        named = (stretch for stretch, note in rhythms(recording) if note == TACHYCARDIA)
        return [(start, end) for start, end in named if end - start >= shortest]
    found: list[Stretch] = []
    run: list[int] = []
    beats = zip(marked.samples.tolist(), marked.symbols, strict=True)
    for sample, symbol in [*(beat for beat in beats if beat[1] in BEATS), (0, "N")]:
        if symbol in VENTRICULAR:
            run.append(sample)
            continue
        if len(run) >= RUN_BEATS and 60.0 * recording.fs * (len(run) - 1) > RUN_RATE * (run[-1] - run[0]):
            found.append((run[0], run[-1]))
        run = []
    return found


def judge(alarm: Alarm, recording: Recording, reference: list[Stretch] | None) -> Alarm:
    """The alarm with its truth."""
    if reference is None:
        return alarm
    marked = [stretch for stretch, note in rhythms(recording) if note == TACHYCARDIA]
    silent = silences(recording) if alarm.code == ASYSTOLE else []
    near = any(
        start / recording.fs - WITHIN_SECONDS <= alarm.at <= end / recording.fs + WITHIN_SECONDS
        for start, end in [*reference, *marked, *silent]
    )
    return msgspec.structs.replace(alarm, true=near)


def silences(recording: Recording) -> list[Stretch]:
    """Reference intervals of asystole's length, and what the reference calls asystole."""
    named = [stretch for stretch, note in rhythms(recording) if note == STANDSTILL]
    marked = recording.marked_beats
    if marked is None:
        return named
    pairs = zip(marked.samples.tolist(), marked.symbols, strict=True)
    beats = [sample for sample, symbol in pairs if symbol in BEATS]
    long = ASYSTOLE_SECONDS * recording.fs
    return [*named, *((before, after) for before, after in pairwise(beats) if after - before >= long)]


def found(episode: Stretch, alarms: Iterable[Alarm], fs: float) -> Episode:
    """When it was told."""
    start, end = (sample / fs for sample in episode)
    delays = [
        max(0.0, alarm.at - start)
        for alarm in alarms
        if alarm.at <= start + WITHIN_SECONDS and (alarm.until is None or alarm.until > start)
    ]
    return Episode(start, end, min(delays, default=None))


def monitor_alarm(recording: Recording, edges: list[RhythmEdge]) -> MonitorAlarm | None:
    """Agreement with the alarm at which the recording ends, if its header names one."""
    said = [comment.strip().lower() for comment in recording.comments]
    name = next((comment for comment in said if comment in MONITOR_ALARMS), None)
    verdict = next((VERDICTS[comment] for comment in said if comment in VERDICTS), None)
    if name is None or verdict is None:
        return None
    on = [
        edge for edge in edges if edge.code == MONITOR_ALARMS[name] and edge.sample <= MONITOR_ALARM_AT * recording.fs
    ]
    recent = (MONITOR_ALARM_AT - WITHIN_SECONDS) * recording.fs
    return MonitorAlarm(name, verdict, bool(on) and (on[-1].on or on[-1].sample >= recent))


def add_up(records: list[RecordFigures]) -> Gross:
    """All records together."""
    alarms = [alarm for record in records for alarm in record.alarms]
    false = [alarm for alarm in alarms if alarm.true is False]
    judged = sum(alarm.true is not None for alarm in alarms)
    all_episodes = [episode for record in records for episode in record.episodes or ()]
    in_time = sum(episode.delay is not None for episode in all_episodes)
    monitors = [record.monitor_alarm for record in records if record.monitor_alarm is not None]
    return Gross(
        records=len(records),
        hours=round(sum(record.seconds for record in records) / 3600, 3),
        flagged=sum(record.flagged for record in records),
        lethal_alarms=len(alarms),
        episodes=len(all_episodes),
        episodes_in_time=in_time,
        sensitivity=in_time / len(all_episodes) if all_episodes else None,
        positive_predictivity=1 - len(false) / judged if judged else None,
        false_lethal_alarms=len(false),
        false_by_code={code: sum(alarm.code == code for alarm in false) for code in LETHAL},
        true_monitor_alarms=sum(monitor.true for monitor in monitors),
        true_monitor_alarms_raised=sum(monitor.true and monitor.raised for monitor in monitors),
        false_monitor_alarms=sum(not monitor.true for monitor in monitors),
        false_monitor_alarms_raised=sum(not monitor.true and monitor.raised for monitor in monitors),
    )
