"""Foreign topics to units: ``wards/{unit}/{device}`` names one level each; ``+`` is a level that says nothing."""

import re
from typing import Final

import msgspec

from gateway.bridge.codec import CodecError, Origin
from gateway.contract.refusal import RefusalReason
from gateway.contract.topic import UnitAddress, UnitKind, is_id

NAMES: Final = ("site", "unit", "device")
_PLACE: Final = re.compile(r"\{([a-z]+)\}")


class TopicPattern:
    """One pattern; raises ValueError with what was expected when its text is none."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._levels = text.split("/")
        self.names = [name for level in self._levels if (name := self._place(level)) is not None]
        if len(set(self.names)) != len(self.names):
            raise ValueError("each of {site}, {unit} and {device} at most once")

    @property
    def filter(self) -> str:
        """The MQTT topic filter that matches exactly these topics."""
        return "/".join("+" if level.startswith("{") else level for level in self._levels)

    def match(self, topic: str) -> dict[str, str] | None:
        """What the topic names; None when it does not fit."""
        levels = topic.split("/")
        if len(levels) != len(self._levels):
            return None
        found: dict[str, str] = {}
        for level, expected in zip(levels, self._levels, strict=True):
            if expected.startswith("{"):
                found[expected[1:-1]] = level
            elif expected not in ("+", level):
                return None
        return found

    def _place(self, level: str) -> str | None:
        if (place := _PLACE.fullmatch(level)) is not None:
            if place[1] not in NAMES:
                raise ValueError(f"{{site}}, {{unit}} or {{device}}, not {level}")
            return place[1]
        if level != "+" and re.search(r"[{}+#]", level):
            raise ValueError(f"whole levels, and no # or braces inside one: {level!r}")
        return None


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Where messages of one pattern belong; what the pattern does not name is fixed."""

    pattern: TopicPattern
    kind: UnitKind
    site: str
    unit: str
    device: str
    units: dict[str, str]  # foreign names of units to their ids

    def origin(self, topic: str) -> Origin | None:
        """Whom a topic speaks for; None when it is not of this pattern.

        Raises:
            CodecError: it is, but names something that cannot be a unit.
        """
        found = self.pattern.match(topic)
        if found is None:
            return None
        site, unit = found.get("site", self.site), found.get("unit", self.unit)
        unit = self.units.get(unit, unit)
        for what, name in (("site", site), ("unit", unit)):
            if not is_id(name):
                raise CodecError(RefusalReason.ID, f"{what} {name[:100]!r}: ids are 1 to 48 of a-z, 0-9 and -")
        return Origin(UnitAddress(site, self.kind, unit), found.get("device", self.device))
