"""Prometheus metrics of the gateway. No label carries a name or an id of a person; units are not labels either."""

from collections import Counter as Counts

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.adapters.clock import machine_seconds
from gateway.changes import Changes
from gateway.contract.envelope import Instant
from gateway.fleet import Fleet
from gateway.ledger import Ledger
from gateway.ports import RecordFlag

_FAST = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 60)


class Metrics:
    """What ops staff watch; docs/operations.md says what each means and what to do."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.lag = Gauge(
            "lastmile_ingest_lag_seconds", "How far the database lies behind the log; 0 = caught up", registry=registry
        )
        self.batch = Histogram(
            "lastmile_batch_messages",
            "Messages a commit",
            buckets=(1, 2, 5, 10, 50, 100, 500, 1e3, 5e3, 2e4),
            registry=registry,
        )
        self.commit = Histogram(
            "lastmile_commit_seconds", "Time of one commit, fsync included", buckets=_FAST, registry=registry
        )
        self.records = Counter("lastmile_records_total", "Records committed", ["lane"], registry=registry)
        self.duplicates = Counter("lastmile_duplicates_total", "Numbers that came again", registry=registry)
        self.late = Counter("lastmile_late_records_total", "Records marked late", registry=registry)
        self.rejects = Counter("lastmile_rejects_total", "Refused input", ["reason"], registry=registry)
        self.refused_connections = Counter(
            "lastmile_refused_connections_total", "Connects the broker refused", registry=registry
        )
        self.commit_failures = Counter(
            "lastmile_commit_failures_total", "Commits that had to be tried again", registry=registry
        )
        self.commands = Counter(
            "lastmile_commands_total", "Remote commands that came into a state", ["state"], registry=registry
        )
        self.commands_open = Gauge("lastmile_commands_open", "Remote commands without an outcome", registry=registry)
        self.alert_latency = Histogram(
            "lastmile_alert_latency_seconds",
            "From the log's time of a reading to the alert on the feed",
            buckets=_FAST,
            registry=registry,
        )
        self.alerts_open = Gauge("lastmile_alerts_open", "Alerts firing or acknowledged", registry=registry)
        self.outbox = Gauge(
            "lastmile_outbox_records", "Records waiting on agents, as their last hellos say", registry=registry
        )
        self.gaps = Gauge("lastmile_gaps_open", "Ranges of numbers still wanted", registry=registry)
        self.units = Gauge("lastmile_units", "Units whose records are admitted", registry=registry)
        self.online = Gauge("lastmile_units_online", "Units whose link is up", registry=registry)

    def observe_batch(self, changes: Changes, messages: int, commit_seconds: float, now: Instant) -> None:
        """One batch went through. ``now``: after the commit."""
        if messages:
            self.batch.observe(messages)
            self.commit.observe(commit_seconds)
        for lane, count in Counts(record.lane.lane for record in changes.records).items():
            self.records.labels(lane).inc(count)
        self.late.inc(sum(1 for record in changes.records if record.flags & RecordFlag.LATE))
        self.duplicates.inc(len(changes.duplicates))
        for rejection in changes.rejections:
            self.rejects.labels(str(rejection.refused.reason)).inc()
        for change in changes.commands:
            self.commands.labels(str(change.command.state)).inc()
        for transition in changes.transitions:
            self.alert_latency.observe(machine_seconds(max(0, now - transition.at)))

    def observe_fleet(self, fleet: Fleet, ledger: Ledger, alerts_open: int, commands_open: int) -> None:
        """Once a second."""
        self.alerts_open.set(alerts_open)
        self.commands_open.set(commands_open)
        self.outbox.set(sum(state.outbox_records for state in fleet.states.values()))
        self.units.set(len(fleet.units))
        self.online.set(sum(state.presence == "online" for state in fleet.states.values()))
        self.gaps.set(sum(lane.open_gaps for lane in ledger.lanes.values() if lane.absences))
