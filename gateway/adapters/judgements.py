"""How useful people find the alerts, as a metric: read at each scrape, because a judgement can be changed."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from gateway.adapters import alert_reads


class Judgements(Collector):
    """Judgements that stand now, by rule; no label names a person or a unit."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """What it will tell, without reading."""
        yield _family()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        with self._engine.connect() as connection:
            counts = alert_reads.judgements(connection)
        family = _family()
        for (rule, useful), count in sorted(counts.items()):
            family.add_metric([rule, "yes" if useful else "no"], count)
        yield family


def _family() -> GaugeMetricFamily:
    about = "What doctors and nurses think of alerts"
    return GaugeMetricFamily("lastmile_alert_judgements", about, labels=["rule", "useful"])
