"""A run that ends when its source is read."""

import subprocess
import sys
import threading
from pathlib import Path

from qanat.clock import SystemClock
from qanat.pipelines.wikimedia import PIPELINE
from qanat.settings import Duration, Place
from qanat.streaming.assembly import assembled
from qanat.streaming.settings import StreamSettings
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
