"""One started command: its log, its end, its children. Nothing started here outlives the test."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, TypeVar

import psutil

Result = TypeVar("Result")
LASTMILE = Path(sys.executable).parent / "lastmile"
FULL = os.environ.get("LASTMILE_FAULTS") == "full"  # full counts, and a machine of its own
TO_END = 5.0 if FULL else 20.0  # s; the short run shares its machine with whatever else is going on
_pace = threading.Event()  # never set: its wait() is the pause between two looks


class NotInTimeError(AssertionError):
    """What a test waited for did not happen before its deadline."""


class EndedError(RuntimeError):
    """A process that should run has ended; waiting longer is useless. The message holds the end of its log."""


def eventually(
    look: Callable[[], Result | Literal[False] | None], what: str = "", timeout: float = 10.0, every: float = 0.05
) -> Result:
    """The first truthy answer of ``look``, asked every ``every`` seconds.

    An AssertionError or OSError raised by ``look`` counts as "not yet" (a port that refuses, a file not yet there).

    Raises:
        NotInTimeError: nothing truthy within ``timeout`` seconds; names ``what`` and the last answer.
    """
    deadline = time.monotonic() + timeout
    while True:
        answer: object
        try:
            if result := look():
                return result
            answer = result
        except (AssertionError, OSError) as error:
            answer = error
        if time.monotonic() > deadline:
            raise NotInTimeError(f"{what or 'condition'}: not within {timeout} s; last answer: {answer!r}")
        _pace.wait(every)


def always(look: Callable[[], object], what: str, during: float, every: float = 0.1) -> None:
    """Checks that ``look`` stays truthy for ``during`` seconds."""
    deadline = time.monotonic() + during
    while time.monotonic() < deadline:
        assert look(), f"{what}: no longer true"
        _pace.wait(every)


class Process:
    """A ``lastmile`` command in a process group of its own; ``log`` holds its standard output and error."""

    def __init__(self, name: str, arguments: list[str], log: Path, env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.arguments = arguments
        self.log = log
        self._env = dict(env or {})
        self._popen = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as sink:
            return subprocess.Popen(
                [LASTMILE, *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONUNBUFFERED": "1"} | self._env,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def running(self) -> bool:
        return self._popen.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Exit code, negative signal number, or None while it runs."""
        return self._popen.poll()

    def must_run(self) -> None:
        """Raises EndedError when the process has ended."""
        if not self.running:
            raise EndedError(self.tail())

    def output(self) -> str:
        """Everything written so far, over all restarts."""
        return self.log.read_text(errors="replace")

    def rss(self) -> int:
        """Resident memory of the process and its children, bytes."""
        family = [psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)]
        return sum(member.memory_info().rss for member in family)

    def pause(self) -> None:
        """SIGSTOP: alive, silent."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL to the command and everything it started, and waits until they are gone."""
        family = self._family()
        for member in family:
            try:
                member.kill()
            except psutil.NoSuchProcess:
                continue
        self._popen.wait()
        psutil.wait_procs(family, timeout=5)

    def terminate(self, within: float = TO_END) -> int:
        """SIGTERM to the command alone; its exit code. Fails when it, or a child of it, lives on after ``within`` s."""
        family = self._family()
        self._popen.terminate()
        try:
            code = self._popen.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {within} s of SIGTERM\n{self.tail()}") from None
        _, alive = psutil.wait_procs(family, timeout=1)
        for orphan in alive:
            orphan.kill()
        assert not alive, f"{self.name} left children behind: {alive}"
        return code

    def wait(self, timeout: float) -> int:
        """Exit code of a command that ends by itself."""
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs after {timeout} s\n{self.tail()}") from None

    def restart(self, env: Mapping[str, str] | None = None) -> None:
        """Starts the same command again after its end; ``env`` replaces the extra environment."""
        assert not self.running, f"{self.name} still runs"
        if env is not None:
            self._env = dict(env)
        self._popen = self._spawn()

    def tail(self, lines: int = 40) -> str:
        return f"---- {self.name}: exit {self.exit_code}\n" + "\n".join(self.output().splitlines()[-lines:])

    def _family(self) -> list[psutil.Process]:
        try:
            parent = psutil.Process(self.pid)
            return [*parent.children(recursive=True), parent]
        except psutil.NoSuchProcess:
            return []
