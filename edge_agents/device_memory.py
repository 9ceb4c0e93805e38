"""What must still be known of devices after a restart: the stored measurements they have given, and their firmware.

A file of lines that are added, and written anew at each start and when it has grown. A line that was not finished, or
is lost with the power, costs no measurement: what is not noted as had is fetched, and stored, once more. The notes hold
only as long as the outbox they speak of: when that is damaged or gone they are forgotten.
"""

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

MOST: Final = 4096  # frames of one device: more than meters store
_GROWN: Final = 4 * MOST  # lines added
_LONGEST: Final = 64  # characters of a firmware


class _Line(msgspec.Struct, omit_defaults=True):
    device: str
    had: str = ""  # hex
    firmware: str = ""


_line: Final = msgspec.json.Decoder(_Line)


class DeviceMemory:
    """One agent's; each note is written at once."""

    def __init__(self, path: Path | None = None) -> None:
        """Reads the file. None: nothing outlives this process."""
        self._path = path
        self._had: dict[str, deque[bytes]] = {}
        self._firmware: dict[str, str] = {}
        self._added = 0
        if path is not None:
            with suppress(OSError):
                self._read(path.read_bytes())
                self._rewrite(path)

    def had(self, device: str) -> list[bytes]:
        """Frames noted of a device, the oldest first."""
        return list(self._had.get(device, ()))

    def firmware(self, device: str) -> str:
        """What a device last said it runs; "" when it has never said so."""
        return self._firmware.get(device, "")

    def note_had(self, device: str, frames: Iterable[bytes]) -> None:
        """Measurements that are safe: they need not be taken again."""
        lines = []
        for frame in frames:
            self._had.setdefault(device, deque(maxlen=MOST)).append(frame)
            lines.append(_Line(device, had=frame.hex()))
        self._add(lines)

    def forget_had(self, device: str | None = None) -> None:
        """Of one device or of all: what was noted vouches for nothing any more."""
        if device is None:
            self._had.clear()
        else:
            self._had.pop(device, None)
        if self._path is None:
            return
        with suppress(OSError):
            try:
                self._rewrite(self._path)
            except OSError:  # a full disk; deleting needs no room
                self._path.unlink(missing_ok=True)

    def note_firmware(self, device: str, firmware: str) -> None:
        """What a device says it runs."""
        text = firmware[:_LONGEST]
        if text != self._firmware.get(device):
            self._firmware[device] = text
            self._add([_Line(device, firmware=text)])

    # ---- the file

    def _read(self, content: bytes) -> None:
        for text in content.splitlines():
            with suppress(msgspec.DecodeError, UnicodeDecodeError, ValueError):
                line = _line.decode(text)
                if line.had:
                    self._had.setdefault(line.device, deque(maxlen=MOST)).append(bytes.fromhex(line.had))
                if line.firmware:
                    self._firmware[line.device] = line.firmware

    def _rewrite(self, path: Path) -> None:
        lines = [_Line(device, firmware=text) for device, text in self._firmware.items()]
        lines += [_Line(device, had=frame.hex()) for device, frames in self._had.items() for frame in frames]
        fresh = path.with_name(path.name + ".new")
        fresh.write_bytes(_encode(lines))
        fresh.replace(path)
        self._added = 0

    def _add(self, lines: list[_Line]) -> None:
        if self._path is None or not lines:
            return
        with suppress(OSError):  # this process remembers all the same
            with self._path.open("ab") as file:
                file.write(_encode(lines))
            self._added += len(lines)
            if self._added >= _GROWN:
                self._rewrite(self._path)


def _encode(lines: list[_Line]) -> bytes:
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
