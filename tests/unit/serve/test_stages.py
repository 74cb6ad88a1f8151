"""The pipelines that are served, their stages as a graph, and what a stall does to health and metrics."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from qanat.interfaces import Store
from qanat.pipeline import Write
from qanat.pipelines.metering import PIPELINE
from qanat.runtime.stage_states import STAGE_STATES
from qanat.serve.app import create_app
from qanat.serve.served import Served
from qanat.session import held
from qanat.tables import DEAD_LETTERS, Append, Upsert
from qanat.telemetry import Telemetry
from qanat.testing import FakeClock
from tests.unit.reports.metered import fill, store_at
from tests.unit.serve.sample import KINDS, NOW, SAMPLE, letter, state, write


@pytest.fixture
def metered(tmp_path: Path) -> Iterator[Store]:
    with store_at(f"memory:{uuid4()}", tmp_path) as opened:
        fill(opened)
        yield opened


def test_several(sample: Store, metered: Store, sample_clock: FakeClock) -> None:
    """One service serves several pipelines, each under its name, and health is that of the worst."""
    served = [Served(SAMPLE, held(sample)), Served(PIPELINE, held(metered))]
    client = TestClient(create_app(served, clock=sample_clock))
    told = client.get("/api").json()["pipelines"]
    assert ["sample", "metering"] == [each["name"] for each in told]
    assert (["ingest", "store"], ["titles"]) == (told[0]["stages"], told[0]["lookups"])
    for each in told:
        assert 200 == client.get(f"/api/{each['name']}/stages").status_code
    answer = client.get("/health")
    assert ("alarm", 503) == (answer.json()["status"], answer.status_code)
    assert ["ok", "alarm"] == [each["status"] for each in answer.json()["pipelines"]]
    text = client.get("/metrics").text
    assert 'qanat_stored_files{pipeline="metering",state="counted"} 3.0' in text
    assert 'qanat_stored_dead_letters{pipeline="sample"' not in text  # it has none


def test_graph(asked: TestClient) -> None:
    """Inputs, stages, topics and tables are nodes; each way between two of them has its guarantee."""
    told = asked.get("/api/sample/stages").json()
    assert [
        "input:sse stream", "stage:ingest", "topic:input", "stage:store", "table:pages", "table:kinds",
    ] == [node["id"] for node in told["nodes"]]  # fmt: skip
    ways = {(edge["source"], edge["target"]): edge for edge in told["edges"]}
    assert {("topic:input", "stage:store"), ("stage:store", "table:pages")} <= set(ways)
    assert "exactly once" == ways["stage:store", "table:kinds"]["guarantee"]
    assert "upsert" == ways["stage:store", "table:kinds"]["mode"]
    # The stream gives its last record again, and the topic keeps what came.
    assert "at least once" == ways["stage:ingest", "topic:input"]["guarantee"]
    assert [] == told["refused"]
    known = {node["id"] for node in told["nodes"]}
    assert all({source, target} <= known for source, target in ways)


def test_refused(sample: Store) -> None:
    """What wouldn't be started is drawn too, with the reasons and without promises."""
    counting = replace(SAMPLE.stages[1], writes=(Write(KINDS, Append()),))
    twice = replace(SAMPLE, stages=(SAMPLE.stages[0], counting))
    client = TestClient(create_app([Served(twice, held(sample))]))
    told = client.get("/api/sample/stages").json()
    (reason,) = told["refused"]
    assert "gives its last record again" in reason
    assert {None} == {edge["guarantee"] for edge in told["edges"]}


def test_states(asked: TestClient, sample: Store, sample_clock: FakeClock) -> None:
    """States are those that the run tells; when it no longer does, nothing moves and nothing stalls."""
    stalled = {"stalled_since": NOW, "stall_reason": "the source is silent"}
    write(sample, STAGE_STATES, [state("ingest", **stalled), state("store", lag=None)])
    write(sample, DEAD_LETTERS, [letter(1), letter(2, "replayed")])
    told = asked.get("/api/sample/stages").json()
    assert 1 == told["dead_letters"]
    first, second = told["states"]
    assert ("ingest", 10, 2.5, 3) == tuple(first[k] for k in ("stage", "records", "rate", "lag"))
    assert "the source is silent" == first["stall_reason"]
    assert second["lag"] is None
    sample_clock.advance(60)
    first, _ = asked.get("/api/sample/stages").json()["states"]
    assert (10, 0.0, None) == (first["records"], first["rate"], first["stall_reason"])


def test_stalls(asked: TestClient, sample: Store, sample_clock: FakeClock) -> None:
    """A stall is told at once, with its reason; when it lasts health is red. Metrics tell its length."""
    stalled = {"stalled_since": NOW, "stall_reason": "the disk is full"}
    write(sample, STAGE_STATES, [state("store", **stalled)])
    told = asked.get("/health")
    assert (200, "degraded") == (told.status_code, told.json()["status"])
    (stall,) = told.json()["pipelines"][0]["stalls"]
    assert ("store", "the disk is full", False) == (stall["stage"], stall["reason"], stall["red"])
    sample_clock.advance(150)
    later = NOW + timedelta(seconds=150)
    write(sample, STAGE_STATES, [state("store", **stalled, updated_at=later)], Upsert(STAGE_STATES.key))  # fmt: skip
    told = asked.get("/health")
    assert (503, "stalled") == (told.status_code, told.json()["status"])
    labels = '{instance="host 1",pipeline="sample",stage="store"}'
    text = asked.get("/metrics").text
    assert f"qanat_stage_stalled_seconds{labels} 150.0" in text
    assert f"qanat_stage_lag_records{labels} 3.0" in text


def test_files_tell_states_too(metered: Store, sample_clock: FakeClock) -> None:
    """A pipeline of files, whose run tells nothing: its tables say how many, when last, and what waits."""
    telemetry = Telemetry()
    served = Served(PIPELINE, held(metered), telemetry)
    client = TestClient(create_app([served], clock=sample_clock))
    (told,) = client.get("/api/metering/stages").json()["states"]
    assert ("count", 30, 1) == (told["stage"], told["records"], told["lag"])
    assert "2026-11-22T04:20:00Z" == told["last_commit_at"]
    assert told["rate"] is None
    telemetry.count("qanat_records_read_total", 50, pipeline="metering", stage="count")
    client.get("/api/metering/stages")
    telemetry.count("qanat_records_read_total", 50, pipeline="metering", stage="count")
    sample_clock.advance(5)
    (told,) = client.get("/api/metering/stages").json()["states"]
    assert 20 == told["rate"]  # from nothing to 100 in 5 s
