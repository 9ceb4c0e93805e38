"""The machine a figure was measured on, and what processes used of it. Everything from /proc."""

import os
import platform
import shutil
import statistics
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import psutil

TICKS: Final = os.sysconf("SC_CLK_TCK")


def describe(folder: Path) -> str:
    """One paragraph: processor, memory, system, load before the run, file system below ``folder``."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    memory = psutil.virtual_memory().total / 2**30
    release = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    disk = shutil.disk_usage(folder)
    return (
        f"machine: {os.cpu_count()} vCPU ({models[0] if models else platform.machine()}), {memory:.0f} GiB, {release}, "
        f"Linux {platform.release()}, {platform.python_implementation()} {platform.python_version()}\n"
        f"load average at start: {' '.join(f'{load:.2f}' for load in os.getloadavg())} (other work shows here)\n"
        f"data on: {folder} ({disk.free / 2**30:.0f} GiB free)"
    )


def version_of(*command: str) -> str:
    """First line a program prints about itself."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip().partition("\n")[0]


def family(pid: int) -> list[int]:
    """A process and everything below it."""
    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time these processes (all their threads) have used so far."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def rss_bytes(pids: Iterable[int]) -> int:
    """Resident memory of these processes."""
    page = os.sysconf("SC_PAGE_SIZE")
    total = 0
    for pid in pids:
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


def written_bytes(pids: Iterable[int]) -> int:
    """Bytes these processes have caused to be written to storage."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/io").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        total += next((int(line.split()[1]) for line in lines if line.startswith("write_bytes")), 0)
    return total


def pin(pids: Iterable[int], core: int | None) -> None:
    """Ties processes, all threads of them, to one core; None = leave them free."""
    if core is None:
        return
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})


def spread(values: Sequence[float], unit: str = "", digits: int = 0) -> str:
    """``median (min-max)``."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:,.{digits}f}{unit} ({low:,.{digits}f}-{high:,.{digits}f})"


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of them lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
