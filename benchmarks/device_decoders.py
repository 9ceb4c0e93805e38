"""Decoded frames a second, per kind of device, on one core.

    python benchmarks/device_decoders.py [--quick] [--kind KIND]

Each kind decodes its golden frames (tests/golden/frames: what real devices or specifications say) again and again, by
the decoder an agent uses, as its link would hand them over. A kind that drops what it has had before does so here too.
There is no peer: public parsers exist for some of these formats only, and one of them reads pressures wrong
(docs/adr/0008-dependencies.md). Floor: 1,000 frames/s, a hundred times what any of these devices sends.
"""

import argparse
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any, Final

from benchmarks.kit import machine
from edge_agents import kinds

FRAMES: Final = Path(__file__).parents[1] / "tests" / "golden" / "frames"
FLOOR: Final = 1000
AT: Final = 1_790_000_000_000_000


def frames_of(kind: str) -> list[bytes]:
    """The kind's golden frames that mean something."""
    rows = tomllib.loads((FRAMES / f"{kind}.toml").read_text("utf-8"))["frame"]
    return [frame for row in rows if "error" not in row for frame in _bytes(row)]


def _bytes(row: dict[str, Any]) -> list[bytes]:
    if "text" in row:
        return [row["text"].encode() + b"\r\n"]
    if "rtu" in row:  # a request and its answer on a serial line: the link hands over what both say
        request, answer = (bytes.fromhex(text) for text in row["rtu"])
        return [request[:1] + answer[1:2] + request[2:6] + answer[3:-2]]
    return [bytes.fromhex(text) for text in ([row["hex"]] if isinstance(row["hex"], str) else row["hex"])]


def rate(kind: str, seconds: float) -> float:
    """Frames a second."""
    frames, decoder, done = frames_of(kind), kinds.load(kind).Decoder(), 0
    began = time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        for frame in frames:
            decoder.feed(frame, AT + done)
            done += 1
    return done / passed


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="0.2 s a kind")
    parser.add_argument("--kind", choices=kinds.names())
    arguments = parser.parse_args()
    seconds = 0.2 if arguments.quick else 2.0
    print(machine.describe(Path(tempfile.gettempdir())))
    slowest = float("inf")
    for kind in [arguments.kind] if arguments.kind else kinds.names():
        found = rate(kind, seconds)
        slowest = min(slowest, found)
        print(f"  {kind:24} {found:10,.0f} frames/s, {1e6 / found:7.1f} us a frame", flush=True)
    print(f"slowest kind: {slowest:,.0f} frames/s (floor {FLOOR:,})")
    sys.exit(0 if slowest >= FLOOR else 1)


if __name__ == "__main__":
    main()
