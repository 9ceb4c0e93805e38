"""Prometheus metrics of the notifier. No label carries a name or an address; channels are counted by purpose."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.adapters.clock import machine_seconds
from gateway.adapters.notify.queue import Ended, Standing
from gateway.adapters.notify.rows import DeliveryState
from gateway.contract.envelope import Instant


class NotifyMetrics:
    """What ops staff and the watcher look at; docs/operations.md says what each means."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._beat = Gauge(
            "lastmile_notifier_beat_timestamp_seconds",
            "Last turn of the notifier, s since 1970",
            registry=registry,
        )
        self._waiting = Gauge("lastmile_deliveries_waiting", "Deliveries not sent and not given up", registry=registry)
        self._dead = Gauge("lastmile_deliveries_dead", "Deliveries given up: dead letters", registry=registry)
        self._overdue = Gauge(
            "lastmile_delivery_overdue_seconds", "Age of the oldest delivery that should be out", registry=registry
        )
        self._attempts = Counter(
            "lastmile_delivery_attempts_total", "Attempts at deliveries", ["purpose", "state"], registry=registry
        )
        self._seconds = Histogram(
            "lastmile_delivery_seconds",
            "From when a delivery was due to when its provider took it",
            ["purpose"],
            buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 3600),
            registry=registry,
        )

    def observe(
        self,
        now: Instant,
        standing: Standing | None,
        ended: Iterable[tuple[Ended, DeliveryState]],
        purpose: Callable[[str], str],
    ) -> None:
        """After every turn."""
        self._beat.set(now / 1e6)
        if standing is not None:
            self._waiting.set(standing.waiting)
            self._dead.set(standing.dead)
            oldest = standing.oldest_due_at
            self._overdue.set(0 if oldest is None else machine_seconds(max(0, now - oldest)))
        for attempt, state in ended:
            label = purpose(attempt.delivery.channel)
            self._attempts.labels(label, state).inc()
            if state is DeliveryState.SENT:
                seconds = machine_seconds(max(0, attempt.at - attempt.delivery.due_at))
                self._seconds.labels(label).observe(seconds)
