"""`qanat status` of a pipeline of streams: its stages, and why one doesn't move."""

import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pyarrow as pa

from qanat.clock import SystemClock
from qanat.pipelines.wikimedia import PIPELINE
from qanat.runtime.stage_states import STAGE_STATES
from qanat.settings import CommonSettings
from qanat.streaming.declared import tables_of
from qanat.tables import Append, arrow_schema
from qanat.wiring import open_store
from tests.unit.cli.conftest import Run

AT = datetime(2026, 1, 1, tzinfo=UTC)


def test_stages_in_order_and_what_stalls(run: Run, tmp_path: Path) -> None:
    """Of several instances the latest is told; people see the reason of a stall, programs everything."""
    settings = CommonSettings(data_dir=tmp_path)
    rows = [
        _state("store", "old:1", 5, AT.replace(hour=1)),
        _state("store", "new:2", 7, AT.replace(hour=2)),
        _state("letters", "new:2", 1, AT.replace(hour=2)),
        _state("ingest", "new:2", 1234, AT.replace(hour=2), "the source is silent"),
    ]
    with closing(open_store(PIPELINE.name, settings, SystemClock())) as store:
        store.migrate(tables_of(PIPELINE))
        with store.begin("test", uuid4()) as transaction:
            given = pa.Table.from_pylist(rows, schema=arrow_schema(STAGE_STATES))
            transaction.write(STAGE_STATES, given, Append())
            transaction.commit()
    where = ["--data-dir", str(tmp_path)]
    [described] = json.loads(run("status", "--json", *where).out)["pipelines"]
    assert [("ingest", 1234), ("store", 7), ("letters", 1)] == [
        (each["stage"], each["records"]) for each in described["stages"]
    ]
    lines = run("status", "wikimedia", *where).out.splitlines()
    assert "  stage         ingest: 1,234 records, 2.5/s, 3 behind" in lines
    assert "  STALLED       ingest: the source is silent, since 2026-01-01T00:00:00Z" in lines


def _state(
    stage: str, instance: str, records: int, at: datetime, stalled: str | None = None
) -> dict[str, object]:
    return {
        "stage": stage,
        "instance": instance,
        "records": records,
        "rate": 2.5,
        "lag": 3,
        "last_commit_at": None,
        "stalled_since": AT if stalled else None,
        "stall_reason": stalled,
        "updated_at": at,
    }
