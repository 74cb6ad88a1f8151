"""A local server of server-sent events that misbehaves on request.

In a test:

```python
with SseServer(events) as server:
    server.faults.then(Answer(429, "1"), Cut(100))
    options = SseOptions(server.url, "tests")
```

Or as a process of its own, which prints its URL: `python -m qanat.testing.sse_server recording.sse.zst --rate 1000`.

It knows times, topics and ids as Wikimedia's servers do: the time in an id is that of the topic's last event plus 1, and a reader
that sends it back begins with the first event at or after it.
"""

import argparse
import contextlib
import signal
import socket
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from qanat.testing.sse_events import Recording, SseEvent, read_recording
from qanat.testing.sse_faults import Answer, Chaos, Fault, Faults
from qanat.testing.sse_history import History
from qanat.testing.sse_manners import Manners
from qanat.testing.sse_visit import Served, Visit

__all__ = ["Manners", "SseServer", "main"]

_BACKLOG = 64


class SseServer:
    """Serves events on loopback, each connection in a thread. A context manager; any thread may look at what it counts.

    Args:
        events: In the order in which they are sent; or a recording.
        manners: How it behaves to everybody.
        faults: What goes wrong, connection by connection.
        port: Where it listens; 0 for a port that is free.

    Attributes:
        history: What it holds; events may be added and forgotten while it runs.
        visits: Every request, in order, with what was asked for and how it was answered.
        suffered: Every fault that came to pass, in order.
    """

    def __init__(
        self,
        events: Iterable[SseEvent] | Recording = (),
        manners: Manners | None = None,
        faults: Faults | None = None,
        port: int = 0,
    ) -> None:
        self.manners = manners or Manners()
        self.history = History(events, self.manners.newline)
        self.faults = faults or Faults()
        self.visits: list[Visit] = []
        self.suffered: list[Answer | Fault] = []
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=_BACKLOG)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="sse-server", daemon=True)

    @property
    def url(self) -> str:
        """The address of all its streams."""
        return f"http://127.0.0.1:{self.port}/v2/stream/{','.join(self.manners.streams)}"

    @property
    def connections(self) -> int:
        """How many connections were given events so far."""
        return sum(visit.status == 200 for visit in list(self.visits))

    @property
    def connected(self) -> int:
        """How many connections are given events now."""
        return sum(visit.status == 200 and not visit.over.is_set() for visit in list(self.visits))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every connection, and listen no more."""
        self.stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()
        with self.history.changed:
            self.history.changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()
        for visit in self.visits:
            visit.over.wait()

    def drop(self) -> None:
        """End every connection there is now."""
        for visit in list(self.visits):
            visit.leave()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                served = Served(
                    self.history, self.manners, self.faults, self.stopping, self.suffered
                )
                visit = Visit(served, connection, others=self.connected)
                self.visits.append(visit)
            threading.Thread(target=visit.run, name="sse-visit", daemon=True).start()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve a recording until SIGINT or SIGTERM, or until standard input ends if `--until-eof` was given."""
    options = _parser().parse_args(arguments)
    manners = Manners(
        streams=tuple(options.streams.split(",")),
        rate=options.rate,
        from_start=not options.from_end,
        end_after_s=options.end_after_s,
        end_at_last=options.end_at_last,
        keep_alive_s=options.keep_alive_s,
        chunked=options.chunked,
    )
    faults = Chaos(options.chaos_seed, every=options.chaos_every) if options.chaos_every else None
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    with SseServer(read_recording(options.file), manners, faults, options.port) as server:
        sys.stdout.write(server.url + "\n")
        sys.stdout.flush()
        if options.until_eof:
            for _ in _lines():
                pass
        else:
            stop.wait()


def _lines() -> Iterator[str]:
    yield from sys.stdin


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m qanat.testing.sse_server", description=main.__doc__
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="a recording: .sse or .sse.zst")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--streams", default="page-create", help="their names, joined by commas")
    parser.add_argument("--rate", type=float, default=0.0, help="events a second; 0 for no limit")
    parser.add_argument("--from-end", action="store_true", help="new readers get only what comes")
    parser.add_argument("--end-after-s", type=float, default=0.0, help="of each connection")
    parser.add_argument("--end-at-last", action="store_true", help="connections end with the file")
    parser.add_argument("--keep-alive-s", type=float, default=0.0, help="between comments")
    parser.add_argument("--chunked", action="store_true", help="in HTTP's chunks")
    parser.add_argument("--chaos-every", type=int, default=0, help="events between two faults")
    parser.add_argument("--chaos-seed", type=int, default=0)
    parser.add_argument("--until-eof", action="store_true", help="stop when standard input ends")
    return parser


if __name__ == "__main__":
    main()
