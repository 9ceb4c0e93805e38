"""Tags of persons who must not leave: which scanners hear each, and whether the last to lose it stands at a way out.

Each scanner tells by itself that it hears a tag and that it has lost it, the nearer ones perhaps later: who was the
last to hear it is known once none does. What a site calls a way out stands in its ``alerts.toml``.
"""

from collections.abc import Callable, Collection
from typing import Any, Final, NamedTuple

from gateway.contract.envelope import Instant
from gateway.contract.quantity import HOUR, SECOND
from gateway.rules.clocks import Clocks, Key
from gateway.rules.hold import Edge, Hold

TAG_LEFT: Final = "tag-left"
SEEN, LOST = "tag-seen", "tag-lost"
EVENTS: Final = frozenset({SEEN, LOST})
VALIDITY: Final = HOUR  # as a fall: domain facts 10.1
LONGEST_ID: Final = 64


class BadTag(ValueError):
    """An event of a tag that does not say of which."""


class Passage(NamedTuple):
    """A tag left, or is heard again."""

    subject: str
    edge: Edge
    scanner: str  # the exit, or who hears it again


class Tags:
    """Kept among the clocks: a hold for each scanner, ``firing`` while it hears the tag, ``since`` it last did."""

    def __init__(self, clocks: Clocks, is_deaf: Callable[[str, str], bool]) -> None:
        """``is_deaf``: whether a scanner (unit, device) has failed: what it heard last says nothing about now."""
        self._clocks = clocks
        self._is_deaf = is_deaf

    def move(
        self, unit: str, device: str, name: str, details: dict[str, Any], at: Instant, exits: Collection[str]
    ) -> Passage | None:
        """What one scanner's word makes of it; None when it changes nothing, as an older word than its last does.

        Raises:
            BadTag: no id.
        """
        tag = details.get("id")
        if not isinstance(tag, str) or not 0 < len(tag) <= LONGEST_ID:
            raise BadTag(f"id {tag!r:.80}")
        subject = f"unit/{unit}/tag/{tag}"
        key = (subject, TAG_LEFT)
        if at < self._clocks.of(key, device).last_at:
            return None
        before = self._way_out(unit, key, exits)
        self._clocks.keep(key, device, Hold(name == SEEN, _heard_at(name, details, at), at))
        after = self._way_out(unit, key, exits)
        if (after is None) is (before is None):
            return None
        return Passage(subject, Edge.CLEAR if after is None else Edge.RAISE, device if after is None else after)

    def _way_out(self, unit: str, key: Key, exits: Collection[str]) -> str | None:
        """The exit by which the tag has left; None while somebody hears it, or who last did stands elsewhere."""
        heard = {one: hold for one, hold in self._clocks.at(key).items() if not self._is_deaf(unit, one)}
        if any(hold.firing for hold in heard.values()):
            return None
        last = max(((hold.since, one) for one, hold in heard.items() if hold.since is not None), default=None)
        return last[1] if last is not None and last[1] in exits else None


def _heard_at(name: str, details: dict[str, Any], at: Instant) -> Instant | None:
    """When the scanner last heard the tag; None when it may be the scanner and not the tag that is gone."""
    if name == SEEN:
        return at
    if details.get("scanner_silent"):
        return None
    silent = details.get("silent_s")
    return at - round(silent * SECOND) if isinstance(silent, int | float) and 0 <= silent <= VALIDITY / SECOND else at
