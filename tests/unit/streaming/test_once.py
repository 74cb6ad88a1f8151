"""A run that ends when its source is read."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from qanat.clock import SystemClock
from qanat.pipelines.wikimedia import PIPELINE
from qanat.pipelines.wikimedia.generator import Options, frames
from qanat.settings import Duration, Place
from qanat.streaming import transforming
from qanat.streaming.assembly import assembled
from qanat.streaming.settings import StreamSettings, Transforms
from qanat.streaming.transform_process import TransformProcess
from qanat.telemetry import Telemetry
from qanat.testing.sse_events import SseEvent
from qanat.testing.sse_faults import Answer
from qanat.testing.sse_server import SseServer


def test_unreachable_is_not_silent(tmp_path: Path) -> None:
    """A source that turns a run away, for longer than the run waits in silence, isn't taken for one that is read."""
    with SseServer([SseEvent(b"{}", number) for number in range(3)]) as server:
        server.faults.then(Answer(503), Answer(503))
        settings = StreamSettings(
            input=Place(server.url), data_dir=tmp_path, once=True, idle=Duration(0.1)
        )
        clock, telemetry, stop = SystemClock(), Telemetry(), threading.Event()
        with assembled(PIPELINE, settings, clock, telemetry, stop) as parts:
            parts.run.run()
            assert 3 == parts.run.meters[0].records


def test_zones_are_there_before_threads() -> None:
    """Threads don't import at one moment what Arrow needs for times with a zone: one of them may be told that there is none."""
    code = "import sys, qanat.runtime.loop; sys.exit('zoneinfo' not in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def whole_run(server: SseServer, folder: Path, where: Transforms) -> list[list[dict[str, object]]]:
    """Read all that a server has; return what came of it."""
    settings = StreamSettings(
        input=Place(server.url),
        since="2025-09-05T00:00Z",
        data_dir=folder,
        once=True,
        idle=Duration(0.3),
        transforms=where,
    )
    clock, telemetry, stop = SystemClock(), Telemetry(), threading.Event()
    with assembled(PIPELINE, settings, clock, telemetry, stop) as parts:
        parts.run.run()
        with parts.store.snapshot() as reader:
            return [
                reader.query(f"select {columns} order by 1, 2").to_pylist()
                for columns in (
                    "created_at, event_id, page_title, who from creations",
                    "id, reason, raw from dead_letters",
                    "domain, pages, bot_pages from domains",
                )
            ]


def test_transformed_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose batches are all transformed by a process comes to the same as one without."""
    went: list[int] = []
    is_ready, transform = TransformProcess.is_ready, TransformProcess.transform

    def patient(self: TransformProcess, since: float) -> bool:
        while not is_ready(self, since):
            time.sleep(0.01)
        return True

    def counted(self: TransformProcess, *arguments: object) -> object:
        went.append(self.pid)
        return transform(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(transforming, "ROWS_MIN", 1)
    monkeypatch.setattr(TransformProcess, "is_ready", patient)
    monkeypatch.setattr(TransformProcess, "transform", counted)
    stream = frames(Options(3_000, bad=0.05))
    events = [SseEvent(each.data, each.at_ms, event=each.type.encode()) for each in stream]
    with SseServer(events) as server:
        in_thread = whole_run(server, tmp_path / "thread", Transforms.THREAD)
        assert [] == went
        beside = whole_run(server, tmp_path / "process", Transforms.PROCESS)
    assert 1 == len(set(went))
    assert all(in_thread)
    assert in_thread == beside
