"""Time is an argument: only a short list of files reads a clock, and no test sleeps."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

CLOCKS = {
    "time",
    "time_ns",
    "monotonic",
    "monotonic_ns",
    "perf_counter",
    "perf_counter_ns",
    "process_time",
    "localtime",
    "gmtime",
}
DATE_CLOCKS = {"now", "utcnow", "today"}

MAY_READ_A_CLOCK = {
    "gateway/adapters/clock.py": "the gateway's one clock",
    "gateway/adapters/jetstream.py": "how long the broker has been silent",
    "gateway/adapters/nats_reader.py": "when the broker was last heard",
    "gateway/supervisor.py": "how long a child has lived",
    "gateway/demo.py": "how long to wait for the parts of the demo",
    "gateway/feed_watcher.py": "latency as a screen sees it, measured on the machine that made the data",
    "edge_agents/clock.py": "the agent's one clock",
    "edge_agents/outbox_writer.py": "pace of the group commit, in a thread of its own",
    "firmware_sims/clock.py": "the simulators' one clock: when, never what",
}


def calls(path: Path) -> Iterator[tuple[int, str, str]]:
    """(line, object, attribute) of every ``object.attribute(...)``, and ("", name) of every plain call."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Attribute(value=value, attr=attr)):
                yield node.lineno, ast.unparse(value), attr
            case ast.Call(func=ast.Name(id=name)):
                yield node.lineno, "", name


def reads_a_clock(owner: str, name: str) -> bool:
    if owner.rpartition(".")[2] in {"datetime", "date"}:
        return name in DATE_CLOCKS
    return name in CLOCKS and (owner in {"", "time"} or "loop" in owner)


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def test_a_clock_is_read_only_where_the_list_allows_it() -> None:
    readers = {}
    for path in sources("gateway", "edge_agents", "firmware_sims"):
        name = path.relative_to(ROOT).as_posix()
        lines = [line for line, owner, attr in calls(path) if reads_a_clock(owner, attr)]
        if lines and name not in MAY_READ_A_CLOCK:
            readers[name] = lines
    assert not readers, "clock read outside the list: take `now` as an argument"


def test_the_list_is_not_longer_than_needed() -> None:
    idle = [
        name
        for name in MAY_READ_A_CLOCK
        if not (ROOT / name).exists() or not any(reads_a_clock(owner, attr) for _, owner, attr in calls(ROOT / name))
    ]
    assert not idle, "files that may read a clock and do not"


def test_no_test_sleeps() -> None:
    """``asyncio.sleep(0)`` yields and is no sleep; waiting is done on an event, with a deadline."""
    sleepers = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sources("tests")
        for line, owner, attr in calls(path)
        if attr == "sleep" and f"{owner}.sleep(0)" not in path.read_text().splitlines()[line - 1]
    ]
    assert not sleepers
