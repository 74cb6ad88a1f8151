"""From the socket to a committed row: how long an event takes at a steady rate.

    python bench/events_latency.py [--rate 1000] [--seconds 30]

The clock starts when an event's bytes are read from the socket (`received_at`), and stops when the transaction that holds its row
has committed. The server is a process of its own.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
from events_input import made

from qanat.clock import SystemClock
from qanat.pipelines.wikimedia import PIPELINE
from qanat.runtime.reading import Taken
from qanat.runtime.stream_tables import TableSteps
from qanat.settings import Place
from qanat.streaming.assembly import assembled
from qanat.streaming.settings import StreamSettings
from qanat.telemetry import Telemetry

# The first seconds load modules and make files.
WARM_S = 3.0
P50_GOAL_MS, P99_GOAL_MS = 30.0, 150.0


def main() -> int:
    """Run for some seconds and print the percentiles."""
    options = _options()
    clock, stop, took_ms = SystemClock(), threading.Event(), list[float]()
    commit = TableSteps._commit
    began_s = clock.monotonic()

    def watched(steps: TableSteps, taken: Taken) -> None:
        commit(steps, taken)
        if steps.name == "store" and clock.monotonic() - began_s > WARM_S:
            received = taken.batch.rows.column("received_at").to_numpy()
            now = np.datetime64(clock.now().replace(tzinfo=None), "us")
            took_ms.extend(
                ((now - received).astype("timedelta64[us]").astype(float) / 1000).tolist()
            )

    TableSteps._commit = watched  # type: ignore[assignment,method-assign]
    count = int(options.rate * (options.seconds + 10))
    stream = made(options.folder, count, 1)
    command = [sys.executable, "-m", "qanat.testing.sse_server", str(stream.wire), "--until-eof"]
    server = subprocess.Popen(
        [*command, "--rate", str(options.rate)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    with tempfile.TemporaryDirectory(prefix="qanat-bench-") as place:
        url = server.stdout.readline().strip()
        settings = StreamSettings(input=Place(url), data_dir=Path(place))
        threading.Timer(options.seconds + WARM_S, stop.set).start()
        with assembled(PIPELINE, settings, clock, Telemetry(), stop) as parts:
            parts.run.run()
    server.stdin.close()
    server.wait()
    server.stdout.close()
    p50, p99, p999 = np.percentile(took_ms, [50, 99, 99.9])
    print(f"{len(took_ms):,} events at {options.rate:,.0f} a second:")
    print(
        f"p50 {p50:.1f} ms (goal {P50_GOAL_MS:.0f}), p99 {p99:.1f} ms (goal {P99_GOAL_MS:.0f}), p99.9 {p999:.1f} ms,"
        f" longest {max(took_ms):.1f} ms"
    )
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "qanat-bench")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
