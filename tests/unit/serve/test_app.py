"""What the HTTP service answers, and to whom."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx2 as httpx
import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from qanat.clock import SystemClock
from qanat.errors import ConfigError
from qanat.listening import Listening
from qanat.pipelines.metering import PIPELINE, TOTALS, USAGE
from qanat.pipelines.metering.operations import operations
from qanat.runtime.commit import Committer
from qanat.runtime.registry import FILES
from qanat.serve.app import create_app
from qanat.serve.background import serving
from qanat.serve.served import Served
from qanat.session import Session, open_session
from qanat.settings import CommonSettings
from qanat.tables import DEAD_LETTERS, Append, arrow_schema
from qanat.telemetry import Telemetry
from qanat.wiring import open_store

HOUR = datetime(2026, 11, 22, 4, tzinfo=UTC)
TOKEN = "a-long-random-token"


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A store with one counted file, two totals and a dead letter."""
    settings = CommonSettings(store=f"memory:{tmp_path}", data_dir=tmp_path)
    clock = SystemClock()
    store = open_store(PIPELINE.name, settings, clock)
    store.migrate(PIPELINE.tables)
    committer = Committer(store, PIPELINE.name, "count", clock, Telemetry())
    huge = 2**70
    totals = [{"consumer": 7, "amount": huge, "parts": 1}, {"consumer": 9, "amount": 5, "parts": 1}]
    usage = [
        {
            "consumer": row["consumer"],
            "period_start": HOUR,
            "granularity": "hour",
            "amount": row["amount"],
        }
        for row in totals
    ]
    with store.begin("count", uuid4()) as transaction:
        transaction.write(TOTALS, pa.Table.from_pylist(totals, arrow_schema(TOTALS)), Append())
        transaction.write(USAGE, pa.Table.from_pylist(usage, arrow_schema(USAGE)), Append())
        transaction.write(FILES, pa.Table.from_pylist([_file()], arrow_schema(FILES)), Append())
        letters = pa.Table.from_pylist([_letter()], arrow_schema(DEAD_LETTERS))
        transaction.write(DEAD_LETTERS, letters, Append())
        transaction.commit()
    assert committer.store is store
    with open_session(PIPELINE, settings, clock, operations=operations()) as opened:
        yield opened
    store.close()


def _file() -> dict[str, object]:
    row: dict[str, object] = {column.name: None for column in FILES.columns}
    row |= {
        "id": 1, "name": "a.txt", "size": 20, "mtime_ns": 1, "inode": 1, "device": 0, "sketch": "s",
        "compression": "none", "state": "counted", "registered_at": HOUR, "ended_at": HOUR,
        "lines_good": 2, "lines_bad": 1, "total": 2**70 + 5, "parts": 0, "ranges": 1,
        "forced": False, "number": 1, "settled": True,
    }  # fmt: skip
    return row


def _letter() -> dict[str, object]:
    return {
        "id": "count:1:9", "stage": "count", "origin": "a.txt", "origin_id": 1, "line": 2,
        "byte_offset": 9, "reason": "the line is empty", "length": 3, "raw": b"7 \xff",
        "rejected_at": HOUR, "state": "open",
    }  # fmt: skip


@pytest.fixture
def client(session: Session) -> TestClient:
    return TestClient(create_app([Served(PIPELINE, session)]))


def test_total(client: TestClient) -> None:
    """A total is exact beyond 64 bits; an unknown consumer is 404, an impossible one 422."""
    assert {"consumer": 7, "amount": str(2**70), "parts": 1} == client.get(
        "/api/metering/totals/7"
    ).json()
    assert 404 == client.get("/api/metering/totals/8").status_code
    assert 422 == client.get("/api/metering/totals/-1").status_code


def test_top(client: TestClient) -> None:
    """The greatest totals come first."""
    assert [7, 9] == [row["consumer"] for row in client.get("/api/metering/top").json()]
    assert 1 == len(client.get("/api/metering/top?limit=1").json())


def test_usage(client: TestClient) -> None:
    """Usage is told by period; bounds that cut a period are refused with those that could be asked."""
    answer = client.get("/api/metering/usage?consumer=9").json()
    assert [{"period_start": "2026-11-22T04:00:00Z", "amount": "5"}] == answer["usage"]
    cut = client.get("/api/metering/usage?since=2026-11-22T04:30:00Z")
    assert 400 == cut.status_code
    assert "2026-11-22T05:00:00" in cut.json()["detail"]
    snapped = client.get("/api/metering/usage?since=2026-11-22T04:30:00Z&snap=true").json()
    assert "2026-11-22T04:00:00Z" == snapped["since"]


def test_files(client: TestClient) -> None:
    """Files are listed with their state, and can be filtered by it."""
    (file,) = client.get("/api/metering/files").json()["files"]
    assert ("a.txt", "counted", str(2**70 + 5)) == (file["name"], file["state"], file["total"])
    assert [] == client.get("/api/metering/files?state=held").json()["files"]


def test_dead_letters(client: TestClient) -> None:
    """Dead letters keep their bytes, can be downloaded, and are replayed once."""
    (letter,) = client.get("/api/metering/dead-letters").json()["dead_letters"]
    assert ("7 \\xff", "NyD/") == (letter["raw"], letter["raw_base64"])
    (line,) = client.get("/api/metering/dead-letters/download").text.splitlines()
    assert letter == json.loads(line)
    path = f"/api/metering/dead-letters/{letter['id']}/replay"
    assert 400 == client.post(path, json={}).status_code
    assert 10 == client.post(path, json={"line": "9 10"}).json()["outcome"]["amount"]
    assert 400 == client.post(path, json={"line": "9 10"}).status_code
    assert "15" == client.get("/api/metering/totals/9").json()["amount"]


@pytest.mark.parametrize("path", ["files", "dead-letters", "dead-letters/download"])
def test_unknown_state(client: TestClient, path: str) -> None:
    """A misspelt state is refused with those there are, and finds nothing by mistake."""
    answer = client.get(f"/api/metering/{path}?state=opne")
    assert 422 == answer.status_code
    assert "'open'" in answer.text or "'counted'" in answer.text


def test_metrics(session: Session) -> None:
    """/metrics has the run's counters and what the store tells."""
    telemetry = Telemetry()
    telemetry.count("qanat_commits_total", 3, pipeline="metering", stage="count")
    text = TestClient(create_app([Served(PIPELINE, session, telemetry)])).get("/metrics").text
    assert 'qanat_commits_total{pipeline="metering",stage="count"} 3.0' in text
    assert 'qanat_stored_files{pipeline="metering",state="counted"} 1.0' in text


def test_token(session: Session) -> None:
    """With a token nothing is answered without it."""
    client = TestClient(create_app([Served(PIPELINE, session)], token=TOKEN))
    assert 401 == client.get("/metrics").status_code
    assert 401 == client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code
    assert 200 == client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org"])
def test_listening_elsewhere(host: str) -> None:
    """Who listens where others reach it needs a token, and a long one."""
    with pytest.raises(ConfigError, match="loopback"):
        Listening(host, 8765)
    with pytest.raises(ConfigError, match="16 characters"):
        Listening(host, 8765, "short")
    assert host == Listening(host, 8765, TOKEN).host


def test_listens(session: Session) -> None:
    """The service answers real requests on loopback, and ends with its context."""
    with serving(PIPELINE, session, Listening("127.0.0.1", 0)) as address:
        (told,) = httpx.get(f"{address}/health").json()["pipelines"]
        assert "metering" == told["pipeline"]
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/health")
