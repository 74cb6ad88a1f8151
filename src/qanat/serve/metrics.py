"""Metrics for Prometheus: the counters of a run, and what the store itself tells."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from qanat.pipeline import Pipeline
from qanat.session import Session
from qanat.telemetry import METRICS, Telemetry

# What a look into the store tells, whoever runs: metric, its help, its SQL (columns: value, and a label if it has one).
STORED: dict[str, tuple[str, str, str | None]] = {
    "qanat_stored_files": (
        "Files by state",
        "select state as label, count(*) as value from files group by state",
        "state",
    ),
    "qanat_stored_bytes_waiting": (
        "Bytes of the files that aren't ended yet",
        "select coalesce(sum(size), 0) as value from files where state = 'registered'",
        None,
    ),
    "qanat_stored_lines": (
        "Lines of counted files, by whether they were good",
        """
        select 'good' as label, coalesce(sum(lines_good), 0) as value from files where state = 'counted'
        union all
        select 'bad', coalesce(sum(lines_bad), 0) from files where state = 'counted'
        """,
        "quality",
    ),
    "qanat_stored_dead_letters": (
        "Dead letters by state",
        "select state as label, count(*) as value from dead_letters group by state",
        "state",
    ),
}


def rendered(pipeline: Pipeline, session: Session, telemetry: Telemetry | None) -> str:
    """Return the metrics in the text format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Stored(pipeline, session))
    if telemetry is not None:
        registry.register(_Run(telemetry))
    return generate_latest(registry).decode()


class _Run(Collector):
    """The counters of the run in this process."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def collect(self) -> Iterator[Metric]:
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for name, labels, value in self._telemetry.values():
            metric = METRICS[name]
            if name not in families:
                family = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
                families[name] = family(name, metric.about, labels=metric.labels)
            families[name].add_metric([text for _, text in labels], value)
        yield from families.values()


class _Stored(Collector):
    """What the store tells."""

    def __init__(self, pipeline: Pipeline, session: Session) -> None:
        self._pipeline, self._session = pipeline, session

    def collect(self) -> Iterator[Metric]:
        for name, (about, sql, label) in STORED.items():
            labels = ["pipeline"] if label is None else ["pipeline", label]
            family = GaugeMetricFamily(name, about, labels=labels)
            for row in self._session.query(sql).to_pylist():
                named = [] if label is None else [str(row["label"])]
                family.add_metric([self._pipeline.name, *named], float(row["value"]))
            yield family
