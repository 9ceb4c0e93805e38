"""Golden frames: what a device once said and what it meant, from tests/golden/frames/<kind>.toml."""

import struct
import tomllib
from pathlib import Path
from typing import Any

from edge_agents.device import FrameError, Numeric, Occurrence, Reading, Waveform
from edge_agents.links.modbus_answer import EXCEPTION, Request, checksum, on_line
from edge_agents.protocol import modbus_frame

FOLDER = Path(__file__).parents[1] / "golden" / "frames"
ARRIVES_AT = 1_234_567


def frames(kind: str) -> list[dict[str, Any]]:
    """The rows of a device's file; every one has a source."""
    document = tomllib.loads((FOLDER / f"{kind}.toml").read_text("utf-8"))
    return [{"source": document.get("source", ""), **row} for row in document["frame"]]


def bytes_of(row: dict[str, Any]) -> list[bytes]:
    """The frame as it comes from the line; a row with a list of ``hex`` has several that belong together.

    ``rtu`` is a request and its answer on a Modbus serial line, of which the link makes the frame.
    """
    if "text" in row:
        return [row["text"].encode() + b"\r\n"]
    if "rtu" in row:
        return [_asked(*(bytes.fromhex(text) for text in row["rtu"]))]
    return [bytes.fromhex(text) for text in ([row["hex"]] if isinstance(row["hex"], str) else row["hex"])]


def _asked(request: bytes, answer: bytes) -> bytes:
    """What the Modbus link hands to a decoder, if the answer can be one to the request."""
    assert checksum(request[:-2]) == request[-2:]
    unit, function, address, size = struct.unpack(">BBHH", request[:-2])
    found = on_line(Request(unit, function, address, size), answer)
    assert (found.frame, found.passed_over) == (answer, ""), "the link takes it"
    data = answer[2:-2] if answer[1] & EXCEPTION else answer[3:-2]
    return modbus_frame(unit, answer[1], address, size, data)


def expected(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The readings of a row: ``reading``, or a list ``readings``."""
    return row["readings"] if "readings" in row else [row["reading"]]


def meaning(reading: Reading, like: dict[str, Any]) -> dict[str, Any]:
    """The reading in the form of the file; of samples only the leads that ``like`` names."""
    common = {"observed_at": reading.observed_at} | ({"test": True} if reading.test else {})
    match reading:
        case Numeric(values=values, invalid=invalid):
            assert {name for name, value in values.items() if value is None} == set(invalid)
            known = {name: value for name, value in values.items() if value is not None}
            said = {} if reading.conditions is None else {"conditions": sorted(reading.conditions)}
            return {"type": "numeric", "values": known, **({"invalid": invalid} if invalid else {}), **said, **common}
        case Occurrence(name=name, details=details):
            return {"type": "occurrence", "name": name, "details": details, **common}
        case Waveform():
            about = {"n0": reading.n0, "fs": reading.fs, "scale": reading.scale, "filter": reading.filter}
            return {"type": "waveform", **about, "samples": _samples(reading, like["samples"]), **common}


def _samples(wave: Waveform, wanted: dict[str, Any]) -> dict[str, list[int]]:
    n = len(wave.samples) // 2 // len(wave.leads)
    flat = struct.unpack(f"<{n * len(wave.leads)}h", wave.samples)
    return {lead: list(flat[i * n : (i + 1) * n]) for i, lead in enumerate(wave.leads) if lead in wanted}


def reason(items: list[Reading | FrameError]) -> str:
    """The reason of the first refusal."""
    return next(item.reason.value for item in items if isinstance(item, FrameError))
