"""Answers over HTTP while events arrive: latencies in an open loop, with millions of events in the tables.

    python bench/events_serving.py [--events 3000000] [--rate 200] [--ingest 1000] [--seconds 30] [--prepared FOLDER]

`--prepared` keeps the loaded tables in a folder, from which every later run takes a copy, and begins at once.

A request is sent when its time has come, whether the ones before were answered or not, and its latency counts from that time:
a server that falls behind can't hide it.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
from events_input import made

from qanat.pipelines.wikimedia.generator import Frame, Options, frames
from qanat.testing.sse_events import SseEvent, read_recording
from qanat.testing.sse_server import SseServer

GOAL_MS = 25.0
CONNECTIONS = 64
LOADED_WAIT_S = 600.0
# Six hours of them: as many as Wikimedia has, about one a second.
NEWEST_EVENTS = 21_600
# The remakes of reports by late events are over by then.
SETTLED_S = 10.0
FEED_EVERY_S = 0.01
# The run knows its source by its address: what was loaded goes on from no other.
SOURCE_PORT = 18_771
Samples = dict[str, list[float]]


class Run(NamedTuple):
    """The run that is asked."""

    address: str
    pid: int

    def processor_s(self) -> float:
        """Return the processor time that it used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Load the tables, let events arrive, ask, and print percentiles."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="qanat-bench-") as folder:
        place = Path(folder) / "data"
        if options.prepared is None:
            _load(place, options)
        else:
            if not options.prepared.exists():
                _load(options.prepared, options)
            shutil.copytree(options.prepared, place)
        with SseServer(port=SOURCE_PORT) as server, _running(server.url, place) as run:
            _give_newest(server, run.address, options)
            targets = _targets(run.address, options.seed)
            more = _arriving(options)
            stop = threading.Event()
            feeder = threading.Thread(target=_feed, args=(server, more, options.ingest, stop))
            feeder.start()
            began_s, before_s = time.monotonic(), run.processor_s()
            samples = asyncio.run(_ask(run.address, targets, options.rate, options.seconds))
            share = (run.processor_s() - before_s) / (time.monotonic() - began_s)
            stop.set()
            feeder.join()
    _print(samples, options, share)
    return 0


def _load(place: Path, options: argparse.Namespace) -> None:
    """Have the events of a made-up month counted into a folder."""
    stream = made(options.folder, options.events, options.seed)
    began_s = time.monotonic()
    with (
        SseServer(read_recording(stream.wire), port=SOURCE_PORT) as server,
        _running(server.url, place) as run,
    ):
        _await_pages(run.address, stream.creations)
    print(f"{stream.creations:,} creations in the tables after {time.monotonic() - began_s:.0f} s")


@contextmanager
def _running(url: str, place: Path) -> Iterator[Run]:
    command = [
        sys.executable,
        "-m",
        "qanat",
        "run",
        "wikimedia",
        "--input",
        url,
        "--serve",
        "--accept-gap",
    ]
    process = subprocess.Popen(
        [*command, "--port", "0", "--data-dir", str(place)], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        while "served at" not in (line := process.stderr.readline()):
            if not line:
                raise RuntimeError("the run ended")
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield Run(line.split()[-1], process.pid)
    finally:
        process.terminate()
        process.wait()


def _rows(address: str, path: str, query: str = "?limit=1000") -> list[dict[str, int | str | None]]:
    """Return the rows of an answer."""
    with urllib.request.urlopen(f"{address}/api/wikimedia/{path}{query}") as answer:  # noqa: S310 - on loopback, ours
        found: list[dict[str, int | str | None]] = json.load(answer)["rows"]
        return found


def _await_pages(address: str, pages: int) -> None:
    deadline_s = time.monotonic() + LOADED_WAIT_S
    while time.monotonic() < deadline_s:
        if _pages(address) >= pages:
            return
        time.sleep(1.0)
    raise RuntimeError("the tables weren't loaded in time")


def _pages(address: str) -> int:
    counts = [row["pages"] for row in _rows(address, "lookups/domains")]
    return sum(count for count in counts if isinstance(count, int))


def _give_newest(server: SseServer, address: str, options: argparse.Namespace) -> None:
    """Give the events of the last hours, so that the stored reports have as many rows as Wikimedia's, and wait for them."""
    expected = _pages(address) + NEWEST_EVENTS
    start = datetime.now(UTC) - timedelta(seconds=NEWEST_EVENTS + 60)
    newest = Options(count=NEWEST_EVENTS, seed=options.seed + 1, start=start)
    server.history.add(*map(_event, frames(newest)))
    _await_pages(address, expected)
    deadline_s = time.monotonic() + LOADED_WAIT_S
    while not _rows(address, "reports/top-users", ""):
        if time.monotonic() > deadline_s:
            raise RuntimeError("the reports weren't made in time")
        time.sleep(1.0)
    time.sleep(SETTLED_S)


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


def _arriving(options: argparse.Namespace) -> list[SseEvent]:
    """Make the events that arrive meanwhile, before anything is measured."""
    count = int(options.ingest * (options.seconds + 10))
    start = datetime.now(UTC)
    more = Options(count=count, seed=options.seed + 2, start=start, rate_per_s=options.ingest)
    return list(map(_event, frames(more)))


def _event(frame: Frame) -> SseEvent:
    return SseEvent(frame.data, frame.at_ms, event=frame.type.encode(), id=frame.id.encode())


def _feed(server: SseServer, events: list[SseEvent], rate: float, stop: threading.Event) -> None:
    """Add events at a steady rate."""
    began_s, given = time.monotonic(), 0
    while not stop.wait(FEED_EVERY_S):
        due = int((time.monotonic() - began_s) * rate)
        server.history.add(*events[given:due])
        given = due


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
    body = await reader.readexactly(length)
    free.put_nowait((reader, writer))
    if status != 200:
        raise RuntimeError(f"{path} was answered with {status}: {body!r}")
    took_ms.append((asyncio.get_running_loop().time() - due_s) * 1000)


def _print(samples: Samples, options: argparse.Namespace, share: float) -> None:
    every = [one for found in samples.values() for one in found]
    print(
        f"{options.rate:g} requests/s in an open loop, {options.ingest:g} events/s arriving; goal p99 {GOAL_MS:g} ms;"
        f" the run used {share:.0%} of a core"
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
    parser.add_argument("--prepared", type=Path, help="keep the loaded tables here")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
