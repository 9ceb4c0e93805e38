"""Keeps ``lastmile`` processes running: whichever dies is started again, with a pause that grows.

Children get SIGTERM when the supervisor ends, and are killed with it if it is killed.
"""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

log = structlog.get_logger("supervisor")

PAUSES: Final = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)  # seconds before the next start
STEADY_SECONDS: Final = 30.0  # a child that ran so long starts again at once
STOP_SECONDS: Final = 4.0
_NONE: Final[Mapping[str, str]] = {}
_PR_SET_PDEATHSIG: Final = 1


def command(arguments: list[str]) -> list[str]:
    """``lastmile ARGUMENTS`` in this Python environment."""
    return [sys.executable, "-m", "gateway.cli", *arguments]


async def start(
    arguments: list[str], *, quiet: bool = False, log: Path | None = None, more_environment: Mapping[str, str] = _NONE
) -> asyncio.subprocess.Process:
    """Starts one ``lastmile`` process that ends with this one and does not see the terminal's Ctrl-C.

    ``log``: where what it prints goes, added to what is there.
    """
    with (log or Path(os.devnull)).open("ab") as file:
        out = file if log or quiet else None
        return await asyncio.create_subprocess_exec(
            *command(arguments), preexec_fn=die_with_parent, stdout=out, stderr=out, stdin=asyncio.subprocess.DEVNULL,
            env=os.environ | dict(more_environment),
        )  # fmt: skip


def die_with_parent() -> None:
    """In the child: SIGTERM when the parent ends, and a process group of its own."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    os.setpgrp()


async def keep_running(name: str, arguments: list[str], stop: asyncio.Event) -> None:
    """One child, started again until ``stop`` is set; then ended."""
    loop = asyncio.get_running_loop()
    failures = 0
    while not stop.is_set():
        began = loop.time()
        process = await start(arguments)
        ended = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if stop.is_set():
            await end(process)
            return
        failures = 0 if loop.time() - began > STEADY_SECONDS else min(failures + 1, len(PAUSES) - 1)
        log.error("process died, starting it again", process=name, code=process.returncode)
        with suppress(TimeoutError):
            async with asyncio.timeout(PAUSES[failures]):
                await stop.wait()


async def end(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, and SIGKILL when that is not enough."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def run_supervisor(children: dict[str, list[str]]) -> None:
    """Runs the children until SIGTERM or SIGINT; the last one started is the first to end."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    stops = {child: asyncio.Event() for child in children}
    keepers = {
        child: asyncio.create_task(keep_running(child, arguments, stops[child]), name=child)
        for child, arguments in children.items()
    }
    await stop.wait()
    for child in reversed(children):
        stops[child].set()
        await keepers[child]
