"""One connection to a local server of server-sent events: its request, its answer, the events, and what goes wrong."""

import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn
from urllib.parse import parse_qs, unquote, urlsplit

from qanat.testing.sse_faults import (
    Again,
    Answer,
    Cut,
    End,
    Fault,
    Faults,
    Garbage,
    Stall,
    Trickle,
)
from qanat.testing.sse_history import History, Start
from qanat.testing.sse_manners import Manners

REQUEST_BYTES_MAX = 64 << 10
SEND_BYTES = 1 << 20
"""Sent with one call, which lets other threads run meanwhile."""

_PATH = "/v2/stream/"
_TRICKLE_S = 0.0005
_IDLE_S = 0.05
_CHUNK_END = b"0\r\n\r\n"


class _Over(Exception):
    """The connection has ended, or is to end."""


@dataclass(frozen=True, slots=True)
class Served:
    """What a server's connections have in common.

    Attributes:
        stopping: Set when all are to end.
        suffered: Every fault that came to pass, in order.
    """

    history: History
    manners: Manners
    faults: Faults
    stopping: threading.Event
    suffered: "list[Answer | Fault]"


class Visit:
    """A request and what becomes of it; the server makes one for each connection.

    Attributes:
        target: What was asked for: path and query.
        headers: Names in lower case.
        status: The answer's; 0 before it was given.
        events: How many events were sent, repeated ones included.
        over: Set when it has ended.
    """

    def __init__(self, server: Served, connection: socket.socket, others: int) -> None:
        self.target = ""
        self.headers: dict[str, str] = {}
        self.status = 0
        self.events = 0
        self.over = threading.Event()
        self._server = server
        self._connection = connection
        self._others = others
        self._piece = SEND_BYTES
        self._leave = threading.Event()
        self._began_s = time.monotonic()

    def run(self) -> None:
        """Answer, to the end; the thread of the connection."""
        try:
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            faults = self._greet()
            self._events(faults)
        except (_Over, OSError):
            pass  # whoever reads has gone, or is sent away
        finally:
            self._connection.close()
            self.over.set()

    def leave(self) -> None:
        """End it, wherever it is."""
        self._leave.set()
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it has ended by itself

    def _greet(self) -> Iterator[Fault]:
        """Read the request and answer it; return what is to go wrong."""
        self._request()
        faults = self._server.faults.next()
        if isinstance(faults, Answer):
            self._server.suffered.append(faults)
            self._refuse(faults)
        for answer in self._objections():
            self._refuse(answer)
        self.status = 200
        lines = [
            "HTTP/1.1 200 OK",
            "Content-Type: text/event-stream; charset=utf-8",
            "Cache-Control: no-store",
            "Transfer-Encoding: chunked" if self._server.manners.chunked else "Connection: close",
            "",
            "",
        ]
        self._connection.sendall("\r\n".join(lines).encode())
        self._send(b":ok\n\n")
        if self._server.manners.retry_ms:
            self._send(b"retry: %d\n\n" % self._server.manners.retry_ms)
        return faults

    def _request(self) -> None:
        raw = b""
        while b"\r\n\r\n" not in raw:
            piece = self._connection.recv(REQUEST_BYTES_MAX)
            if not piece or len(raw) > REQUEST_BYTES_MAX:
                raise _Over
            raw += piece
        first, *lines = raw.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        self.target = first.split(" ")[1]
        for line in lines:
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()

    def _objections(self) -> Iterator[Answer]:
        manners = self._server.manners
        if not self.headers.get("user-agent"):
            yield Answer(403)
        path = unquote(urlsplit(self.target).path)
        if not set(path.removeprefix(_PATH).split(",")) <= set(manners.streams):
            yield Answer(400 if path.startswith(_PATH) else 404)
        if manners.connections_max and self._others >= manners.connections_max:
            yield Answer(429, "1")
        if self._since() == -1:
            yield Answer(400)

    def _refuse(self, answer: Answer) -> NoReturn:
        self.status = answer.status
        retry = f"Retry-After: {answer.retry_after}\r\n" if answer.retry_after else ""
        self._connection.sendall(
            f"HTTP/1.1 {answer.status} Refused\r\n{retry}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        raise _Over

    def _since(self) -> int | None:
        """Return the time that is asked for, in ms since 1970; None for none, -1 for what isn't one."""
        text = parse_qs(urlsplit(self.target).query).get("since", [""])[0]
        if not text or text.isdigit():
            return int(text) if text else None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return -1
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)

    def _start(self) -> Start:
        history = self._server.history
        last_event_id = self.headers.get("last-event-id", "")
        since_ms = self._since()
        if last_event_id:
            return history.resume(last_event_id.encode("latin-1"))
        if since_ms is not None:
            return Start(history.since(since_ms), {})
        return Start(history.first if self._server.manners.from_start else len(history), {})

    def _events(self, faults: Iterator[Fault]) -> None:
        """Send events from the start on, and suffer each fault where it stands."""
        manners, start = self._server.manners, self._start()
        at, fault = start.first, next(faults, None)
        while True:
            if manners.end_after_events and self.events >= manners.end_after_events:
                self._end()
            while fault is not None and fault.events <= self.events:
                self._suffer(fault, at)
                fault = next(faults, None)
            limit = fault.events - self.events if fault else 1 << 60
            if manners.end_after_events:
                limit = min(limit, manners.end_after_events - self.events)
            at = self._some(at, start, limit)

    def _some(self, at: int, start: Start, limit: int) -> int:
        """Send what is there, at most `limit` events; return the number of the next one."""
        history, manners = self._server.history, self._server.manners
        self._await(at)
        end = min(len(history), at + limit)
        if start.later and at < max(start.later.values()):
            begin = start.later.get(history.log_of(at), 0)
            if at < begin:
                return at + 1
            end = at + 1
        size = SEND_BYTES
        if manners.rate:
            end, size = at + 1, 1
            due_s = self._began_s + self.events / manners.rate
            self._leave.wait(max(due_s - time.monotonic(), 0.0))
        raw, following = history.bytes_of(at, end, size)
        self._send(raw)
        self.events += following - at
        return following

    def _await(self, at: int) -> None:
        """Wait until there is an event with this number; end when it is time to."""
        manners, history = self._server.manners, self._server.history
        silent_from_s = time.monotonic()
        while True:
            now_s = time.monotonic()
            if self._has_left():
                raise _Over
            if manners.end_after_s and now_s - self._began_s >= manners.end_after_s:
                self._end()
            if at < len(history):
                return
            if manners.end_at_last:
                self._end()
            if manners.keep_alive_s and now_s - silent_from_s >= manners.keep_alive_s:
                self._send(b":\n\n")
                silent_from_s = now_s
            with history.changed:
                if at >= len(history):
                    history.changed.wait(min(manners.keep_alive_s or _IDLE_S, _IDLE_S))

    def _suffer(self, fault: Fault, at: int) -> None:
        history = self._server.history
        if isinstance(fault, Cut):
            self._await(at)
        self._server.suffered.append(fault)
        match fault:
            case End():
                self._end()
            case Cut():
                raw, _ = history.bytes_of(at, at + 1, 1)
                self._send(raw[: len(raw) // 2])
                # No farewell: the other side gets a reset.
                self._connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
                raise _Over
            case Stall():
                while not self._has_left(_IDLE_S):
                    pass
                raise _Over
            case Garbage():
                self._send(fault.raw)
            case Again():
                begin = max(at - fault.count, history.first)
                while begin < at:
                    raw, begin = history.bytes_of(begin, at, SEND_BYTES)
                    self._send(raw)
            case Trickle():
                self._piece = fault.size

    def _has_left(self, wait_s: float = 0.0) -> bool:
        """Whether the other side has hung up, or we are to; nothing else comes from there after the request."""
        readable, _, _ = select.select([self._connection], [], [], wait_s)
        return bool(readable) or self._leave.is_set() or self._server.stopping.is_set()

    def _end(self) -> NoReturn:
        """End in good order."""
        if self._server.manners.chunked:
            self._connection.sendall(_CHUNK_END)
        self._connection.shutdown(socket.SHUT_WR)
        raise _Over

    def _send(self, raw: bytes | memoryview) -> None:
        view = memoryview(raw)
        for at in range(0, len(view), self._piece):
            piece = view[at : at + self._piece]
            if self._server.manners.chunked:
                self._connection.sendall(b"%x\r\n" % len(piece))
                self._connection.sendall(piece)
                self._connection.sendall(b"\r\n")
            else:
                self._connection.sendall(piece)
            if self._piece < SEND_BYTES:
                self._leave.wait(_TRICKLE_S)
