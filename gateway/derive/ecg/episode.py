"""An abnormal rhythm from its onset to ten seconds after its end, told as two edges."""

from typing import Final, NamedTuple

import msgspec

CLEAR_SECONDS: Final = 10.0  # of normal rhythm (domain facts, alarm defaults)

Details = dict[str, float | str]


class RhythmEdge(msgspec.Struct, frozen=True):
    """A rhythm begins or has ended.

    ``sample``: the newest sample when it was told; ``since``: where the rhythm began, or for the end where it was last
    there. Both counted as the stream's n0.
    """

    code: str
    on: bool
    sample: int
    since: int
    details: Details


class Sign(NamedTuple):
    """What a criterion says now. ``present`` is None when it cannot be told: that neither raises nor clears."""

    present: bool | None
    since: int = 0
    details: Details = {}  # noqa: RUF012 - never changed


class Episode:
    """Turns what a criterion says from moment to moment into edges."""

    def __init__(self, code: str, fs: float, *, on: bool = False) -> None:
        self.code = code
        self.on = on
        self._fs = fs
        self._seen = 0  # the sample up to which it has been looked at
        self._end = 0  # where it was last present
        self._normal = 0  # samples of normal rhythm since

    def update(self, now: int, sign: Sign) -> RhythmEdge | None:
        """``now``: the newest sample."""
        passed, self._seen = max(0, now - self._seen), now
        if sign.present:
            self._normal, self._end = 0, now
            if self.on:
                return None
            self.on = True
            return RhythmEdge(self.code, True, now, sign.since, dict(sign.details))
        if not self.on or sign.present is None:
            return None
        if self._normal == 0 and sign.since:
            self._end = sign.since  # a criterion with a long window knows better when it ended
        self._normal += passed
        if self._normal < CLEAR_SECONDS * self._fs:
            return None
        self.on, self._normal = False, 0
        return RhythmEdge(self.code, False, now, self._end, dict(sign.details))
