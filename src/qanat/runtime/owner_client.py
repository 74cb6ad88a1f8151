"""Asking the process that holds a store."""

import io
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from qanat.errors import Busy, CommitUnknown, ConfigError, Retryable
from qanat.interfaces import Scalar
from qanat.runtime import owner_wire as wire
from qanat.runtime.owner_address import OwnerRecord, connect, read_record
from qanat.runtime.owner_wire import Disconnected, Json, Kind

if TYPE_CHECKING:
    import pyarrow as pa

# An owner greets as soon as one of its threads is free.
HELLO_TIMEOUT_S = 10.0
_HELLO_BYTES_MAX = 4096


class OwnerConnection:
    """One connection to an owner that has greeted: good for one request. Close it."""

    def __init__(self, record: OwnerRecord, connection: socket.socket) -> None:
        self.record = record
        self._connection = connection

    def call(self, operation: str, arguments: Mapping[str, Json]) -> dict[str, Json]:
        """Have an operation carried out.

        Raises:
            Disconnected: The owner is ending, and hasn't begun it.
            CommitUnknown: The owner ended before it answered.
            QanatError: What the operation raised.
        """
        self._ask({"op": "call", "operation": operation, "arguments": dict(arguments)})
        try:
            kind, content = wire.receive(self._connection, wire.ANSWER_BYTES_MAX)
            answer = {} if kind is Kind.END else wire.unpack(content)
        except Disconnected as error:
            raise CommitUnknown(
                f"process {self.record.pid} ended before it answered: "
                f"{operation} may be done, or not.",
                hint="See with `qanat status`; asking again is safe.",
            ) from error
        if kind is Kind.END:
            raise Disconnected(f"process {self.record.pid} is ending")
        if kind is Kind.ERROR:
            raise wire.unpacked_error(answer)
        return answer

    @contextmanager
    def stream(
        self, sql: str, parameters: Mapping[str, Scalar] | None, limit_s: float = 0.0
    ) -> Iterator["pa.RecordBatchReader"]:
        """Read a result, batch by batch; one that takes longer than `limit_s` is ended (0: never).

        Raises:
            Disconnected: The owner ended before it answered; later than that it is `Retryable`.
            QanatError: What the statement raised, at any time while reading.
        """
        import pyarrow as pa

        bound = wire.packed_parameters(parameters)
        self._ask({"op": "query", "sql": sql, "parameters": bound, "limit_s": limit_s})
        pieces = _Pieces(self._connection, self.record)
        with pa.ipc.open_stream(pa.PythonFile(pieces, mode="r")) as reader:
            pieces.begun = True
            yield reader

    def close(self) -> None:
        """Hang up; twice is harmless."""
        self._connection.close()

    def _ask(self, request: dict[str, Json]) -> None:
        content = wire.pack(
            {**request, "pipeline": self.record.pipeline, "token": self.record.token}
        )
        if len(content) > wire.REQUEST_BYTES_MAX:
            valid = f"at most {wire.REQUEST_BYTES_MAX >> 20} MiB with its parameters"
            raise ConfigError("the request", f"{len(content)} bytes", valid)
        wire.send(self._connection, Kind.REQUEST, content)
        # A statement may take hours; the end of a dead owner is noticed.
        self._connection.settimeout(None)


def find_owner(place: Path) -> OwnerConnection | None:
    """Connect to the owner whose file is `place`; None when there is none, or it is dead.

    Raises:
        Busy: There is one, and it doesn't answer.
    """
    record = read_record(place)
    if record is None:
        return None
    try:
        connection = connect(record, HELLO_TIMEOUT_S)
    except OSError:
        return None
    if _greets(connection, record):
        return OwnerConnection(record, connection)
    connection.close()
    return None


def _greets(connection: socket.socket, record: OwnerRecord) -> bool:
    try:
        kind, content = wire.receive(connection, _HELLO_BYTES_MAX)
        return kind is Kind.HELLO and wire.unpack(content).get("instance") == record.instance
    except Disconnected as error:
        if isinstance(error.__cause__, TimeoutError):
            connection.close()
            raise Busy(
                f"process {record.pid} on {record.host} holds the store "
                f"and hasn't answered for {HELLO_TIMEOUT_S:.0f} s.",
                hint="Is it stopped, or asked by many at once? Try again, or end it.",
            ) from error
        return False


class _Pieces(io.RawIOBase):
    """The pieces of a result as a file to read from; raises what the owner reports."""

    def __init__(self, connection: socket.socket, record: OwnerRecord) -> None:
        super().__init__()
        self.begun = False
        self._connection = connection
        self._record = record
        self._piece = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Return `size` bytes, fewer only at the end."""
        taken = bytearray()
        while len(taken) < size and not self._ended:
            if not self._piece:
                self._next()
            wanted = size - len(taken)
            taken += self._piece[:wanted]
            self._piece = self._piece[wanted:]
        return bytes(taken)

    def _next(self) -> None:
        try:
            kind, content = wire.receive(self._connection, wire.ANSWER_BYTES_MAX)
        except Disconnected as error:
            if not self.begun:
                raise
            raise Retryable(
                f"process {self._record.pid}, which holds the store, "
                "ended or hung up while its result was read.",
                hint="Ask again. It hangs up on those who read nothing for a minute.",
            ) from error
        if kind is Kind.ERROR:
            raise wire.unpacked_error(wire.unpack(content))
        self._ended = kind is not Kind.DATA
        self._piece = memoryview(content if kind is Kind.DATA else b"")
