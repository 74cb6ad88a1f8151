"""Reports and alarms over HTTP."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from qanat.interfaces import Store
from qanat.pipelines.metering import PIPELINE
from qanat.runtime.alarms import Alarm
from qanat.runtime.registry import FILES
from qanat.serve.app import create_app
from qanat.serve.served import Served
from qanat.session import open_session
from qanat.settings import CommonSettings
from qanat.tables import Append, arrow_schema
from qanat.telemetry import READINGS
from qanat.testing import FakeClock
from tests.unit.reports.metered import HUGE, NOW, file_row, fill, store_at


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def url() -> str:
    return f"memory:{uuid4()}"


@pytest.fixture
def store(tmp_path: Path, url: str) -> Iterator[Store]:
    with store_at(url, tmp_path) as opened:
        yield opened


@pytest.fixture
def client(tmp_path: Path, url: str, store: Store, clock: FakeClock) -> Iterator[TestClient]:
    settings = CommonSettings(store=url, data_dir=tmp_path)
    with open_session(PIPELINE, settings, clock) as session:
        yield TestClient(create_app([Served(PIPELINE, session)], clock=clock))


def test_lists(client: TestClient) -> None:
    """The reports are listed with what can be set."""
    reports = client.get("/api/metering/reports").json()["reports"]
    assert ["top", "usage", "growth", "files"] == [each["name"] for each in reports]
    assert ["since", "until", "limit"] == [each["name"] for each in reports[0]["parameters"]]


def test_rows(client: TestClient, store: Store) -> None:
    """Rows are typed; amounts are exact, as text."""
    fill(store)
    (first,) = client.get("/api/metering/reports/top?limit=1").json()["rows"]
    assert {"place": 1, "consumer": 8, "amount": str(HUGE), "share": 1.0} == first
    days = client.get("/api/metering/reports/usage?since=2026-11-21&step=day").json()["rows"]
    assert ["2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"] == [d["period_start"] for d in days]
    spans = client.get("/api/metering/reports/usage?since=1h").json()["rows"]
    assert ["1"] == [each["amount"] for each in spans]


def test_empty(client: TestClient) -> None:
    """Nothing counted: no rows, no error."""
    for name in ("top", "usage", "growth", "files"):
        assert [] == client.get(f"/api/metering/reports/{name}").json()["rows"]


def test_chart(client: TestClient, store: Store) -> None:
    """The drawing is a Vega-Lite specification with its rows."""
    fill(store)
    chart = client.get("/api/metering/reports/files/chart").json()
    assert "vega-lite" in chart["$schema"]
    assert 3 == len(chart["data"]["values"])


@pytest.mark.parametrize(
    ("status", "query"),
    [(422, "top?limit=0"), (422, "top?limits=1"), (400, "usage?step=week"), (400, "top?since=x"), (404, "bottom")],
)  # fmt: skip
def test_wrong(client: TestClient, status: int, query: str) -> None:
    """What can't be asked is refused."""
    assert status == client.get(f"/api/metering/reports/{query}").status_code


def test_described(client: TestClient) -> None:
    """The description types each report's parameters and columns."""
    described = client.get("/openapi.json").json()
    schemas = described["components"]["schemas"]
    columns = schemas["MeteringUsageReportRow"]["properties"]
    assert "string" == columns["amount"]["type"]
    assert ["number", "null"] == [each["type"] for each in columns["per_day"]["anyOf"]]
    parameters = described["paths"]["/api/metering/reports/usage"]["get"]["parameters"]
    step = next(each for each in parameters if each["name"] == "step")
    assert ["auto", "hour", "day", "month"] == step["schema"]["enum"]


def test_health_goes_red(client: TestClient, store: Store, clock: FakeClock) -> None:
    """While an alarm rings health is 503 with the reason; liveness can be asked for without it."""
    enter(store, file_row(1, "2026-11-22T12:00", "counted", lines_bad=0))
    assert ("ok", 200) == health(client)
    enter(store, file_row(2, "2026-11-22T12:10", "failed"))
    assert ("alarm", 503) == health(client)
    assert 200 == client.get("/health?alarms=false").status_code
    ringing = [
        each for each in client.get("/api/metering/health").json()["alarms"] if each["rings"]
    ]
    assert [("failed", "1 file failed or held within 1 d")] == [
        (each["alarm"], each["text"]) for each in ringing
    ]
    clock.advance(timedelta(hours=25).total_seconds())
    ringing = [
        each for each in client.get("/api/metering/health").json()["alarms"] if each["rings"]
    ]
    assert ["silence"] == [each["alarm"] for each in ringing]


def test_metrics(client: TestClient, store: Store) -> None:
    """Each reading is a metric, from the tables and thus the same after a restart."""
    enter(
        store,
        file_row(1, "2026-11-22T12:00", "failed"),
        file_row(2, "2026-11-22T12:10", "registered"),
    )
    text = client.get("/metrics").text
    assert [] == [name for name in READINGS if f"# HELP {name} " not in text]
    assert 'qanat_alarm{alarm="failed",pipeline="metering"} 1.0' in text
    assert 'qanat_alarm{alarm="silence",pipeline="metering"} 0.0' in text
    assert 'alarm="lag_bytes"' not in text  # it is off
    assert 'qanat_lag_bytes{pipeline="metering"} 100.0' in text
    assert 'qanat_lag_seconds{pipeline="metering"} 1200.0' in text
    assert 'qanat_recent_failed_files{pipeline="metering"} 1.0' in text
    assert {str(alarm) for alarm in Alarm} == {
        "silence",
        "failed",
        "dead_share",
        "lag_bytes",
        "lag_age",
    }


def health(client: TestClient) -> tuple[str, int]:
    answer = client.get("/health")
    return answer.json()["status"], answer.status_code


def enter(store: Store, *rows: dict[str, object]) -> None:
    with store.begin("count", uuid4()) as transaction:
        given = pa.Table.from_pylist(list(rows), schema=arrow_schema(FILES))
        transaction.write(FILES, given, Append())
        transaction.commit()
