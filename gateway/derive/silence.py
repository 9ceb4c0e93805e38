"""Missing data becomes a technical finding: silence never looks like health. Processing time, given as an argument."""

from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Final, TypeAlias

import msgspec

from gateway.contract.envelope import Instant
from gateway.contract.quantity import LEADS, QUANTITIES, SECOND

LINK_SILENCE: Final = 60 * SECOND  # where nothing else is said of a unit; per kind of place: rules/places.py
FOREVER: Final = 2**62  # a place that is closed may say nothing
SIGNAL_SILENCE_FLOOR: Final = 10 * SECOND
WAVE_SILENCE: Final = 10 * SECOND
LINK_SUSPECT: Final = 5 * SECOND  # nothing at all for so long: the link, not the sensor, is silent
LINK_GONE: Final = 15 * SECOND  # nothing for so long, hellos included: the link was down; hellos come every 10 s
CONTINUOUS: Final = 3  # words in a row, each within its limit: from then on a channel is expected to go on
START_GRACE: Final = 15 * SECOND
WAVE_PREFIX: Final = "wave/"
ECG_CHANNEL: Final = WAVE_PREFIX + "ecg"
SilentKey: TypeAlias = tuple[str, str | None, str | None]  # unit, device, channel; of a unit the latter are None


class Silence(msgspec.Struct, frozen=True):
    """A unit (``device`` and ``channel`` None) or one channel of a device that has begun or ceased to be silent."""

    unit: str
    device: str | None
    channel: str | None
    silent: bool
    since: Instant


@cache
def wave_channel(lead: str) -> str:
    """The channel of frames whose first lead this is: one for all ECG leads, however a link makes the agent split them.

    A weak link carries lead II live and the rest later; the ECG is there all the same.
    """
    row = LEADS.get(lead)
    return ECG_CHANNEL if row is not None and row.unit == "mV" else WAVE_PREFIX + lead


@cache
def allowed_silence(channel: str) -> int:
    """How long a channel may say nothing, us: three expected intervals, at least ten seconds; 0 = for ever."""
    if channel.startswith(WAVE_PREFIX):
        return WAVE_SILENCE
    expected = QUANTITIES[channel].expected_interval
    return max(SIGNAL_SILENCE_FLOOR, 3 * expected) if expected else 0


def _is_put_off(channel: str) -> bool:
    return channel.startswith(WAVE_PREFIX) and channel != ECG_CHANNEL


class SilenceWatch:
    """When each unit and channel was last heard, and which are silent now."""

    def __init__(self, started_at: Instant) -> None:
        self._started_at = started_at
        self._units: dict[str, Instant] = {}
        self._closed: dict[str, Instant] = {}  # until when a unit's place was closed: silence counts from then
        self._back: dict[str, Instant] = {}  # when a unit's link last came back: its channels count from then
        self._channels: dict[tuple[str, str, str], Instant] = {}
        self._silent: set[SilentKey] = set()
        # A spot measurement is not missing afterwards: only a channel that has been heard continuously is watched.
        self._watched: set[tuple[str, str, str]] = set()
        self._runs: dict[tuple[str, str, str], int] = {}  # words in a row of those that are not (yet)
        self._last_words: dict[str, Instant] = {}  # of units, as the database has it; until the first check
        self._last_heard: dict[tuple[str, str, str], Instant] = {}  # and of their channels

    def restore(self, unit: str, device: str | None, channel: str | None, at: Instant) -> None:
        """Takes in when the database last heard of it; a gateway's own absence is not held against a unit."""
        self._last_words[unit] = max(at, self._last_words.get(unit, at))
        if device is None or channel is None:
            self._units[unit] = at
        else:
            self._last_heard[unit, device, channel] = at
            grace = self._started_at - allowed_silence(channel) + START_GRACE
            self._channels[unit, device, channel] = max(at, grace)

    def mark(self, unit: str, device: str | None, channel: str | None) -> None:
        """Its silence has been raised before a restart; it lasts until the unit or channel speaks."""
        self._silent.add((unit, device, channel))
        if device is None or channel is None:
            self._units[unit] = 0
        else:
            self._channels[unit, device, channel] = 0
            self._watched.add((unit, device, channel))

    def hear_unit(self, unit: str, at: Instant) -> None:
        """The unit said anything at all."""
        if at - self._units.get(unit, 0) >= LINK_GONE:
            self._back[unit] = at
        self._units[unit] = at

    def hear(self, unit: str, device: str, channel: str, at: Instant) -> None:
        """A channel said something (a value, or honestly that it cannot measure)."""
        self.hear_all(unit, device, (channel,), at)

    def hear_all(self, unit: str, device: str, channels: Iterable[str], at: Instant) -> None:
        """Several channels of one device did."""
        for channel in channels:
            key = (unit, device, channel)
            if key not in self._watched:
                self._count(key, at)
            self._channels[key] = at

    def _count(self, key: tuple[str, str, str], at: Instant) -> None:
        """One more word of a channel that is not watched; what comes in one instant is one word."""
        before = self._channels.get(key)
        if before == at:
            return
        within = before is not None and at - before < allowed_silence(key[2])
        run = self._runs.get(key, 1) + 1 if within else 1
        if run < CONTINUOUS:
            self._runs[key] = run
        else:
            self._runs.pop(key, None)
            self._watched.add(key)

    def _resume(self) -> None:
        """Goes on watching the channels that spoke to the end, when the gateway last stopped.

        How a channel spoke before is not in the database; but one that was continuous and had fallen silent by then
        has an alert (`mark`), and one that had not is within its limit of the unit's last word.
        """
        for key, at in self._last_heard.items():
            if self._last_words[key[0]] - at < allowed_silence(key[2]):
                self._watched.add(key)
        self._last_heard.clear()
        self._last_words.clear()

    def forget(self, unit: str) -> None:
        """A unit left the registry."""
        self._units.pop(unit, None)
        self._closed.pop(unit, None)
        self._back.pop(unit, None)
        self._silent = {key for key in self._silent if key[0] != unit}
        self._channels = {key: at for key, at in self._channels.items() if key[0] != unit}
        self._watched = {key for key in self._watched if key[0] != unit}
        self._runs = {key: run for key, run in self._runs.items() if key[0] != unit}
        self._last_heard = {key: at for key, at in self._last_heard.items() if key[0] != unit}

    def excuse(self, unit: str, device: str, now: Instant) -> list[Silence]:
        """A device goes into service mode: its channels that are silent are not missing any more."""
        mine = [key for key in self._silent if key[:2] == (unit, device)]
        self._silent.difference_update(mine)
        for key in self._watched & self._channels.keys():
            if key[:2] == (unit, device):
                self._channels[key] = now
        return [Silence(unit, device, channel, False, now) for _, _, channel in sorted(mine, key=str)]

    def judge_anew(self, keys: Iterable[SilentKey]) -> None:
        """Forgets that these have been raised; what of them is still silent is found again with the next check."""
        self._silent.difference_update(keys)

    def check(
        self,
        now: Instant,
        weak: Collection[str] = frozenset(),
        resting: Collection[tuple[str, str]] = frozenset(),
        allowed: Mapping[str, int] | None = None,
    ) -> list[Silence]:
        """What has changed: channels and units that fell silent or speak again.

        ``weak``: units on a weak link, which send every waveform but the ECG later: that is no silence of a sensor.
        ``resting``: devices in service mode, which may be switched off: theirs counts from when service ends.
        ``allowed``: how long each unit may say nothing.
        """
        if self._last_heard:
            self._resume()
        allowed = allowed or {}
        closed = {unit for unit, limit in allowed.items() if limit == FOREVER}
        self._closed.update(dict.fromkeys(closed, now))
        changes = [self._judge_unit(unit, at, now, allowed.get(unit, LINK_SILENCE)) for unit, at in self._units.items()]
        for key, at in self._channels.items():
            if key not in self._watched:
                continue
            unit, device, channel = key
            limit = allowed_silence(channel)
            if (unit in weak and _is_put_off(channel)) or (unit, device) in resting or unit in closed:
                if key not in self._silent:
                    self._channels[key] = now  # it counts from when the link is good, or the device back, again
                continue
            if now - at < limit and key not in self._silent:
                continue  # nearly all of them, nearly always
            if key not in self._silent:
                at = max(at, self._back.get(unit, at))  # noqa: PLW2901 - a link that was down gave it no chance to speak
            heard = self._units.get(unit, 0)
            # A dead link says nothing about the sensor behind it: its channels keep their last judgement.
            if limit and (now - heard < LINK_SUSPECT or now - at < limit):
                changes.append(self._judge((unit, device, channel), at, now, limit))
        return [change for change in changes if change is not None]

    def _judge_unit(self, unit: str, at: Instant, now: Instant, limit: int) -> Silence | None:
        """Neither the gateway's own absence nor the hours in which a place is closed are held against a unit."""
        key = (unit, None, None)
        if key not in self._silent:
            at = max(at, self._started_at - limit + START_GRACE, self._closed.get(unit, at))
        return self._judge(key, at, now, limit)

    def _judge(self, key: SilentKey, at: Instant, now: Instant, limit: int) -> Silence | None:
        silent = now - at >= limit
        if silent == (key in self._silent):
            return None
        (self._silent.add if silent else self._silent.discard)(key)
        return Silence(*key, silent, at)
