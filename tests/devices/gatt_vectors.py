"""Public vectors of GATT characteristics (Nordic Semiconductor, Android-BLE-Common-Library unit tests)."""

import json
from pathlib import Path
from typing import NamedTuple

from edge_agents.device import Decoder, FrameError, FrameReason, Numeric, Reading
from edge_agents.protocol import gatt_frame


class Vector(NamedTuple):
    """One value, as a device would send it."""

    frame: bytes

    def read(self, decoder: Decoder, received_at: int = 0) -> list[Reading | FrameError]:
        return decoder.feed(self.frame, received_at)

    def only(self, decoder: Decoder, received_at: int = 0) -> Numeric:
        """The one reading it holds."""
        (item,) = self.read(decoder, received_at)
        assert isinstance(item, Numeric), item
        return item

    def refusal(self, decoder: Decoder) -> FrameReason:
        """Why it was refused."""
        (item,) = self.read(decoder)
        assert isinstance(item, FrameError), item
        return item.reason


def vectors(recordings: Path, characteristic: str) -> dict[str, Vector]:
    """The vectors of a characteristic by the name of their upstream test."""
    rows = json.loads((recordings / "ble-gatt" / "nordic_gatt_vectors.json").read_text("utf-8"))
    found = {}
    for row in rows:
        if row["characteristic"] == characteristic:
            (text,) = row["value_hex"]
            found[row["case"]] = Vector(gatt_frame(int(row["uuid"], 16), bytes.fromhex(text)))
    return found


def stated(reading: Numeric) -> set[str]:
    """Its conditions; it must say something about them."""
    assert reading.conditions is not None
    return set(reading.conditions)
