"""What changes, told to whoever listens: one look a second per pipeline, however many listen, and none while nobody does.

Two kinds of events: `stages`, when a state changed, and `report`, when one was made or made anew. Whoever connects gets the
present state as events first, so that nobody needs a history to have missed nothing.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import anyio.to_thread
import msgspec

from qanat.clock import Clock
from qanat.errors import QanatError
from qanat.runtime.made_reports import Made
from qanat.serve.served import Limits, Served
from qanat.serve.states import States
from qanat.serve.stored import fresh

EVERY_S = 1.0
# About a quarter of a minute of events; who is further behind is no longer live.
QUEUE_MAX = 32

Key = tuple[str, str]


class Event(NamedTuple):
    """One event: its number, its type, and its data as JSON."""

    id: int
    type: str
    data: bytes


class TooMany(QanatError):
    """Too many listen already.

    Attributes:
        same_client: They are all the one client's.
    """

    def __init__(self, *, same_client: bool) -> None:
        self.same_client = same_client
        super().__init__("too many streams of this client" if same_client else "too many streams")


@dataclass(slots=True, eq=False)
class Listener:
    """One who listens.

    Attributes:
        last: Why there will be no further event; empty while there will.
    """

    queue: "asyncio.Queue[Event | None]" = field(
        default_factory=lambda: asyncio.Queue(QUEUE_MAX + 1)
    )
    last: str = ""

    def give(self, event: Event) -> None:
        """Hand over an event; one who has too many waiting gets no more."""
        if self.last:
            return
        if self.queue.qsize() >= QUEUE_MAX:
            self.end("slow")
        else:
            self.queue.put_nowait(event)

    def end(self, why: str) -> None:
        """Say that there will be no further event."""
        if not self.last:
            self.last = why
            self.queue.put_nowait(None)  # the queue has one place more than it takes events


class Live:
    """The events of one pipeline. Its methods are called in the service's event loop, but for `stop`."""

    def __init__(self, served: Served, states: States, clock: Clock, limits: Limits) -> None:
        self._served = served
        self._states = states
        self._clock = clock
        self._limits = limits
        self._listeners: dict[Listener, str] = {}
        self._clients: Counter[str] = Counter()
        self._task: asyncio.Task[None] | None = None
        self._known: dict[Key, Event] = {}
        self._count = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def listening(self) -> int:
        """How many listen."""
        return len(self._listeners)

    @property
    def looking(self) -> bool:
        """Whether the store is looked at."""
        return self._task is not None

    @contextmanager
    def listener(self, client: str) -> Iterator[Listener]:
        """Listen until the end of the context.

        Args:
            client: From where, for the limit of each.

        Raises:
            TooMany: A limit is reached.
        """
        if self._clients[client] >= self._limits.streams_per_client_max:
            raise TooMany(same_client=True)
        if len(self._listeners) >= self._limits.streams_max:
            raise TooMany(same_client=False)
        listener = Listener()
        self._listeners[listener] = client
        self._clients[client] += 1
        try:
            for event in sorted(self._known.values()):
                listener.give(event)
            if self._task is None:
                self._loop = asyncio.get_running_loop()
                self._task = self._loop.create_task(self._watch())
            yield listener
        finally:
            del self._listeners[listener]
            self._clients -= Counter([client])
            if not self._listeners and self._task is not None:
                self._task.cancel()
                self._task = None
                self._known.clear()  # by the next one it is old

    def stop(self) -> None:
        """End every stream, because the service ends. Any thread may call; harmless when nobody listens."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        for listener in self._listeners:
            listener.end("stopping")

    async def _watch(self) -> None:
        while True:
            try:
                found = await anyio.to_thread.run_sync(self._look)
            except QanatError:  # the store is held or gone for now; /health says so
                found = {}
            for key, data in found.items():
                self._tell(key, data)
            await asyncio.sleep(EVERY_S)

    def _tell(self, key: Key, data: bytes) -> None:
        """Give an event to all, if it is news."""
        known = self._known.get(key)
        if known is not None and known.data == data:
            return
        self._count += 1
        event = self._known[key] = Event(self._count, key[0], data)
        for listener in list(self._listeners):
            listener.give(event)

    def _look(self) -> dict[Key, bytes]:
        """Look at the store once: what there is to tell, by type and name."""
        told = {
            "pipeline": self._served.pipeline.name,
            # When a state was told changes each second, and is no news.
            "states": [each.model_dump(exclude={"updated_at"}) for each in self._states.read()],
            "dead_letters": self._states.dead_letters(),
        }
        found: dict[Key, bytes] = {("stages", ""): msgspec.json.encode(told)}
        for each in fresh(self._served.pipeline, self._served.session, self._clock.now()):
            if each.made is not None:
                found["report", each.report.name] = _report(each.report.name, each.made)
        return found


def _report(name: str, made: Made) -> bytes:
    return msgspec.json.encode(
        {
            "name": name,
            "window_end": made.window_end,
            "made_at": made.made_at,
            "revision": made.revision,
        }
    )
