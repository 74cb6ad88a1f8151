"""Listens for announcements: one connection, one line, one answer.

Whoever may connect may also be slow, broken or malicious; what that can cost is bounded by
`AnnounceLimits`, and none of it touches the work of the run.
"""

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from qanat.clock import Clock
from qanat.errors import NotAccepted
from qanat.runtime.announce import Announcements, refusal
from qanat.runtime.announce_address import AnnounceAddress, BoundSocket
from qanat.runtime.announce_words import Answer, Word
from qanat.telemetry import log

# How often the accepting thread looks whether it should end.
ACCEPT_WAIT_S = 0.1
_PIECE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class AnnounceLimits:
    """What announcing may cost.

    Attributes:
        connections_max: Answered at a time, by a thread each; others wait to be accepted.
        line_bytes_max: Of a line. A path has at most 4096 bytes, and JSON takes up to six characters for one.
        line_timeout_s: For the whole line, from the connection on.
        answer_timeout_s: For the writer to take the answer.
        close_wait_s: At the end of a run: for registrations that are going on.
    """

    connections_max: int = 32
    line_bytes_max: int = 32 << 10
    line_timeout_s: float = 5.0
    answer_timeout_s: float = 5.0
    close_wait_s: float = 30.0


class AnnounceServer:
    """Listens until closed. A context manager.

    Args:
        address: Where.
        announcements: Answers what is announced.
        clock: Judges the limits.
        limits: What it may cost.

    Raises (on entering):
        Busy: Another run listens there.
        ConfigError: The socket can't be made.
    """

    def __init__(
        self,
        address: AnnounceAddress,
        announcements: Announcements,
        clock: Clock,
        limits: AnnounceLimits | None = None,
    ) -> None:
        self._address = address
        self._announcements = announcements
        self._clock = clock
        self._limits = limits or AnnounceLimits()
        self._slots = threading.BoundedSemaphore(self._limits.connections_max)
        self._guard = threading.Lock()
        self._conversations: dict[threading.Thread, socket.socket] = {}
        self._closing = threading.Event()
        self._bound: BoundSocket | None = None
        self._acceptor: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._bound = BoundSocket(self._address)
        self._bound.listener.settimeout(ACCEPT_WAIT_S)
        self._acceptor = threading.Thread(
            target=self._accept, args=(self._bound.listener,), name="announce", daemon=True
        )
        self._acceptor.start()
        log("announce.listening", socket=str(self._address.path))
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening; who has announced a file is still answered, for a while."""
        if self._bound is None or self._acceptor is None:
            return
        self._closing.set()
        self._acceptor.join()
        self._bound.close()
        with self._guard:
            conversations = dict(self._conversations)
        for connection in conversations.values():
            with suppress(OSError):  # it is over already
                connection.shutdown(socket.SHUT_RD)
        deadline_s = self._clock.monotonic() + self._limits.close_wait_s
        for thread in conversations:
            thread.join(max(0.0, deadline_s - self._clock.monotonic()))

    def _accept(self, listener: socket.socket) -> None:
        while not self._closing.is_set():
            if not self._slots.acquire(timeout=ACCEPT_WAIT_S):
                continue
            try:
                connection, _ = listener.accept()
            except OSError as error:
                self._slots.release()
                if not isinstance(error, TimeoutError):
                    self._closing.wait(ACCEPT_WAIT_S)  # out of descriptors: others may free some
                continue
            thread = threading.Thread(
                target=self._converse, args=(connection,), name="announce-writer", daemon=True
            )
            with self._guard:
                self._conversations[thread] = connection
            thread.start()

    def _converse(self, connection: socket.socket) -> None:
        try:
            with connection:
                answer = self._answer(connection)
                if answer is not None:
                    connection.settimeout(self._limits.answer_timeout_s)
                    connection.sendall(answer.line())
                self._read_away(connection)
        except OSError:
            pass  # the writer is gone: what it announced is registered, and it may ask again
        finally:
            with self._guard:
                del self._conversations[threading.current_thread()]
            self._slots.release()

    def _answer(self, connection: socket.socket) -> Answer | None:
        try:
            line = self._line(connection)
        except NotAccepted as error:
            answer = self._stopping() if self._closing.is_set() else refusal(error)
            self._announcements.note(answer)
            return answer
        return None if line is None else self._announcements.answer(line)

    def _line(self, connection: socket.socket) -> bytes | None:
        """Receive one line, without its end; None when the writer hung up without a word."""
        received = bytearray()
        limit = self._limits.line_bytes_max
        deadline_s = self._clock.monotonic() + self._limits.line_timeout_s
        while b"\n" not in received:
            if len(received) > limit:
                raise NotAccepted("too-long", f"the line has more than {limit} bytes.")
            piece = self._piece(connection, deadline_s - self._clock.monotonic())
            if not piece and not received and not self._closing.is_set():
                return None
            if not piece:
                raise NotAccepted(
                    "cut", "the line ended without a newline, so that it may be half a name."
                )
            received += piece
        return bytes(received.partition(b"\n")[0])

    def _piece(self, connection: socket.socket, left_s: float) -> bytes:
        try:
            if left_s <= 0:
                raise TimeoutError
            connection.settimeout(left_s)
            return connection.recv(_PIECE_BYTES)
        except TimeoutError as error:
            seconds = self._limits.line_timeout_s
            raise NotAccepted("slow", f"the line didn't come within {seconds:g} s.") from error

    def _read_away(self, connection: socket.socket) -> None:
        """Take what came behind the line, up to a bound: hanging up on it would reset the connection, and a writer might see
        that before the answer.
        """
        connection.setblocking(False)
        left = self._limits.line_bytes_max
        with suppress(BlockingIOError):
            while left > 0 and (piece := connection.recv(_PIECE_BYTES)):
                left -= len(piece)

    @staticmethod
    def _stopping() -> Answer:
        message = "the run is ending. Announce the file again; the next run finds it anyway."
        return Answer(Word.LATER, reason="stopping", message=message)
