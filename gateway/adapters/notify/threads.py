"""Blocking calls beside the event loop, in threads that never keep a process alive.

An executor's threads are waited for when the interpreter ends, so a mail server that hangs would hold up a stop. What
is cut off here is sent again after the start. The bound on their number is the caller's.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def start(name: str, job: Callable[[], T]) -> "asyncio.Future[T]":
    """Runs ``job``, which must not raise, in a thread of its own; the future belongs to the running loop."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        result = job()
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, future, result)

    threading.Thread(target=run, name=f"notify-{name}", daemon=True).start()
    return future


def _settle(future: "asyncio.Future[T]", result: T) -> None:
    if not future.done():
        future.set_result(result)
