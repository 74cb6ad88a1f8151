"""Answers over HTTP while events arrive: latencies in an open loop, with millions of events in the tables.

    python bench/events_serving.py [--events 3000000] [--rate 200] [--ingest 1000] [--seconds 30]

A request is sent when its time has come, whether the ones before were answered or not, and its latency counts from that time:
a server that falls behind can't hide it.
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
from events_input import made

from qanat.pipelines.wikimedia.generator import Options, frames
from qanat.testing.sse_events import SseEvent, read_recording
from qanat.testing.sse_server import SseServer

GOAL_MS = 25.0
CONNECTIONS = 64
LOADED_WAIT_S = 600.0
Samples = dict[str, list[float]]


def main() -> int:
    """Load the tables, let events arrive, ask, and print percentiles."""
    options = _options()
    stream = made(options.folder, options.events, options.seed)
    with (
        tempfile.TemporaryDirectory(prefix="qanat-bench-") as place,
        SseServer(read_recording(stream.wire)) as server,
        _running(server.url, Path(place)) as address,
    ):
        began_s = time.monotonic()
        _await(address, stream.creations)
        print(
            f"{stream.creations:,} creations in the tables after {time.monotonic() - began_s:.0f} s"
        )
        targets = _targets(address, options.seed)
        stop = threading.Event()
        feeder = threading.Thread(target=_feed, args=(server, options, stop))
        feeder.start()
        samples = asyncio.run(_ask(address, targets, options.rate, options.seconds))
        stop.set()
        feeder.join()
    _print(samples, options)
    return 0


@contextmanager
def _running(url: str, place: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "qanat", "run", "wikimedia", "--input", url, "--serve"]
    process = subprocess.Popen(
        [*command, "--port", "0", "--data-dir", str(place)], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        while "served at" not in (line := process.stderr.readline()):
            if not line:
                raise RuntimeError("the run ended")
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield line.split()[-1]
    finally:
        process.terminate()
        process.wait()


def _rows(address: str, path: str) -> list[dict[str, int | str | None]]:
    """Return the rows of an answer."""
    with urllib.request.urlopen(f"{address}/api/wikimedia/{path}?limit=1000") as answer:  # noqa: S310 - on loopback, ours
        found: list[dict[str, int | str | None]] = json.load(answer)["rows"]
        return found


def _await(address: str, creations: int) -> None:
    deadline_s = time.monotonic() + LOADED_WAIT_S
    while time.monotonic() < deadline_s:
        counts = [row["pages"] for row in _rows(address, "lookups/domains")]
        if sum(count for count in counts if isinstance(count, int)) >= creations:
            return
        time.sleep(1.0)
    raise RuntimeError("the tables weren't loaded in time")


def _targets(address: str, seed: int) -> dict[str, Callable[[], str]]:
    """Return what is asked: stored reports, and look-ups of things that are there."""
    chance = random.Random(seed)
    base = "/api/wikimedia"
    domains = [row["domain"] for row in _rows(address, "lookups/domains")]
    ids = [row["user_id"] for row in _rows(address, "lookups/users") if row["user_id"] is not None]
    pages = [row["page_id"] for row in _rows(address, "tables/creations")]
    return {
        "report domains-by-hour": lambda: f"{base}/reports/domains-by-hour",
        "report bots-by-domain": lambda: f"{base}/reports/bots-by-domain",
        "report top-users": lambda: f"{base}/reports/top-users",
        "look-up domains": lambda: f"{base}/lookups/domains",
        "look-up domain-articles": lambda: (
            f"{base}/lookups/domain-articles?domain={chance.choice(domains)}"
        ),
        "look-up page": lambda: f"{base}/lookups/page?page_id={chance.choice(pages)}",
        "look-up user-pages": lambda: f"{base}/lookups/user-pages?user_id={chance.choice(ids)}",
    }


def _feed(server: SseServer, options: argparse.Namespace, stop: threading.Event) -> None:
    """Add events at a steady rate."""
    last = Options(count=options.events, seed=options.seed)
    start = last.start + timedelta(seconds=options.events / last.rate_per_s + 60)
    more = Options(count=int(options.ingest * (options.seconds + 10)), seed=9, start=start)
    began_s = time.monotonic()
    for number, frame in enumerate(frames(more)):
        ahead_s = began_s + number / options.ingest - time.monotonic()
        if ahead_s > 0 and stop.wait(ahead_s):
            return
        event = SseEvent(frame.data, frame.at_ms, event=frame.type.encode(), id=frame.id.encode())
        server.history.add(event)


async def _ask(
    address: str, targets: dict[str, Callable[[], str]], rate: float, seconds: float
) -> Samples:
    host, port = address.removeprefix("http://").rsplit(":", 1)
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection(host, int(port)))
    samples: Samples = defaultdict(list)
    names, tasks, loop = list(targets), set[asyncio.Task[None]](), asyncio.get_running_loop()
    began_s = loop.time()
    for number in range(int(rate * seconds)):
        due_s = began_s + number / rate
        await asyncio.sleep(max(0.0, due_s - loop.time()))
        name = names[number % len(names)]
        task = loop.create_task(_one(free, host, targets[name](), due_s, samples[name]))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    while not free.empty():
        free.get_nowait()[1].close()
    return samples


async def _one(
    free: "asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]",
    host: str,
    path: str,
    due_s: float,
    took_ms: list[float],
) -> None:
    reader, writer = await free.get()
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    length = next(
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    )
    await reader.readexactly(length)
    free.put_nowait((reader, writer))
    if status != 200:
        raise RuntimeError(f"{path} was answered with {status}")
    took_ms.append((asyncio.get_running_loop().time() - due_s) * 1000)


def _print(samples: Samples, options: argparse.Namespace) -> None:
    every = [one for found in samples.values() for one in found]
    print(
        f"{options.rate:g} requests/s in an open loop, {options.ingest:g} events/s arriving; goal p99 {GOAL_MS:g} ms"
    )
    for name, took_ms in [*sorted(samples.items()), ("all", every)]:
        p50, p99 = np.percentile(took_ms, [50, 99])
        print(
            f"{name:26} {len(took_ms):6,} p50 {p50:7.1f} ms   p99 {p99:7.1f} ms   longest {max(took_ms):7.1f} ms"
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=3_000_000)
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second")
    parser.add_argument("--ingest", type=float, default=1000.0, help="events a second meanwhile")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "qanat-bench")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
