"""Metrics for Prometheus: the counters of a run, and what the store itself tells."""

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from qanat import telemetry
from qanat.clock import Clock
from qanat.runtime.alarms import Readings
from qanat.serve.health import Healths, stalls_of
from qanat.serve.served import Served
from qanat.telemetry import METRICS, READINGS, READINGS_BY_ALARM, STATES, Telemetry
from qanat.wiring import readings_of

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


def rendered(several: Sequence[Served], healths: Mapping[str, Healths], clock: Clock) -> str:
    """Return the metrics of all pipelines in the text format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Stored(several))
    registry.register(_Readings(several, clock))
    registry.register(_States(several, healths, clock))
    # Pipelines that run in one process count in one place.
    for counted in {id(each.telemetry): each.telemetry for each in several}.values():
        if counted is not None:
            registry.register(_Run(counted))
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
    """What the stores tell."""

    def __init__(self, several: Sequence[Served]) -> None:
        self._several = several

    def collect(self) -> Iterator[Metric]:
        for name, (about, sql, label) in STORED.items():
            labels = ["pipeline"] if label is None else ["pipeline", label]
            family = GaugeMetricFamily(name, about, labels=labels)
            table = "dead_letters" if name == "qanat_stored_dead_letters" else "files"
            for served in self._several:
                for row in served.session.query(sql).to_pylist() if served.has(table) else ():
                    named = [] if label is None else [str(row["label"])]
                    family.add_metric([served.pipeline.name, *named], float(row["value"]))
            yield family


class _Readings(Collector):
    """What the tables and the folder say about each alarm."""

    def __init__(self, several: Sequence[Served], clock: Clock) -> None:
        self._several, self._clock = several, clock

    def collect(self) -> Iterator[Metric]:
        families = _families(READINGS)
        found = False
        for served in self._several:
            readings = readings_of(served.pipeline, served.session, self._clock.now())
            if readings is not None:
                found = True
                self._add(families, served.pipeline.name, readings)
        if found:
            yield from families.values()

    @staticmethod
    def _add(
        families: "Mapping[str, GaugeMetricFamily]", pipeline: str, readings: Readings
    ) -> None:
        for reading in readings.alarms:
            if reading.value is not None:
                families[READINGS_BY_ALARM[reading.alarm]].add_metric([pipeline], reading.value)
            if reading.threshold:
                families["qanat_alarm"].add_metric([pipeline, reading.alarm], float(reading.rings))
        families["qanat_lag_files"].add_metric([pipeline], readings.lag_files)
        families["qanat_folder_seen"].add_metric([pipeline], float(readings.folder_seen))


class _States(Collector):
    """How stages are doing, and how old stored reports are."""

    def __init__(
        self, several: Sequence[Served], healths: Mapping[str, Healths], clock: Clock
    ) -> None:
        self._several, self._healths, self._clock = several, healths, clock

    def collect(self) -> Iterator[Metric]:
        families, now = _families(STATES), self._clock.now()
        for served in self._several:
            pipeline, health = served.pipeline.name, self._healths[served.pipeline.name]
            for state in health.states.read():
                place = [pipeline, state.stage, state.instance]
                stalled = {(each.stage, each.instance): each for each in stalls_of([state], now)}
                stall = stalled.get((state.stage, state.instance))
                families["qanat_stage_records"].add_metric(place, state.records)
                if state.lag is not None:
                    families["qanat_stage_lag_records"].add_metric(place, state.lag)
                stalled_s = 0.0 if stall is None else (now - stall.since).total_seconds()
                families["qanat_stage_stalled_seconds"].add_metric(place, stalled_s)
            for report in health.reports(now):
                if report.age_s is not None:
                    families["qanat_report_age_seconds"].add_metric(
                        [pipeline, report.name], report.age_s
                    )
                families["qanat_report_stale"].add_metric(
                    [pipeline, report.name], float(report.stale)
                )
        yield from families.values()


def _families(declared: "Mapping[str, telemetry.Metric]") -> dict[str, GaugeMetricFamily]:
    return {
        name: GaugeMetricFamily(name, metric.about, labels=metric.labels)
        for name, metric in declared.items()
    }
