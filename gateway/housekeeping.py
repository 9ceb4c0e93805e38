"""What runs beside the path in threads of its own: folding closed windows, keeping to the disk budget."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import Engine

from gateway.adapters import clock
from gateway.adapters.compactor import Compactor
from gateway.adapters.retention import DAY, Policy, Retention
from gateway.config import RetentionSettings
from gateway.ports import Writer

log = structlog.get_logger("housekeeping")

RETRY_SECONDS: Final = 10.0


def housekeeping(
    engine: Engine, writer: Writer, path: Path, keep: RetentionSettings, stop: threading.Event, troubles: dict[str, str]
) -> list[Callable[[], None]]:
    """The jobs, each for a thread; they end when ``stop`` is set. ``troubles``: where a failing job is named."""
    compactor, retention = Compactor(engine, writer), Retention(engine, writer, path, policy(keep))
    return [
        lambda: _keep_running("compactor", compactor, stop, troubles),
        lambda: _keep_running("retention", retention, stop, troubles),
    ]


def _keep_running(name: str, job: Compactor | Retention, stop: threading.Event, troubles: dict[str, str]) -> None:
    """A job's trouble (a full disk, a damaged block) is named and tried again; it must not stop ingest."""
    while not stop.is_set():
        try:
            job.run(stop, clock.now)
        except Exception as error:  # whatever it is, ingest goes on
            log.exception("housekeeping failed, trying again", job=name)
            troubles[name] = repr(error)
            stop.wait(RETRY_SECONDS)
            troubles.pop(name, None)


def policy(keep: RetentionSettings) -> Policy:
    """The retention the settings ask for; 0 days = for ever."""

    def age(days: float) -> int | None:
        return int(days * DAY) or None

    return Policy(
        waveforms=age(keep.waveform_days),
        numerics=age(keep.numeric_days),
        events=age(keep.event_days),
        rejects=age(keep.reject_days),
        budget=keep.bytes,
    )
