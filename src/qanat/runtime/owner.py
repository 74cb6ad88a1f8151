"""The process that holds a store answers for it, so that others can ask while it works.

An embedded database lets one process in. That process runs an `Owner`: others send it a statement
to read, or the name of an operation, and it answers from the store it holds (see `owner_wire` for
what is said, `owner_address` for where).

What keeps the work itself safe: a statement runs on a snapshot, which blocks no writer; each
connection has a thread of its own, up to a limit, beyond which clients wait; requests are bounded;
a client that stops reading is cut off.
"""

import contextlib
import hmac
import io
import os
import secrets
import socket
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qanat.clock import Clock
from qanat.errors import ConfigError, QanatError
from qanat.interfaces import Store
from qanat.runtime import owner_wire as wire
from qanat.runtime.owner_address import (
    Listening,
    OwnerRecord,
    Transport,
    connect,
    listen,
    owner_file,
    read_record,
    remove_leftovers,
    remove_record,
    usual_transport,
    write_record,
)
from qanat.runtime.owner_wire import Disconnected, Json, Kind, Operation
from qanat.telemetry import log

if TYPE_CHECKING:
    import pyarrow as pa

# A thread each: idle they cost little, working they share the database's own threads. More clients
# wait their turn.
CONNECTIONS_MAX = 32
# A request is one message that the client has ready.
REQUEST_TIMEOUT_S = 10.0
# For one piece of a result. Who reads nothing for so long keeps an old snapshot alive, which the
# database pays with disk.
SEND_TIMEOUT_S = 60.0
# At the end operations may complete, so that nobody has to wonder whether they did. Readers are cut
# off at once.
CLOSE_WAIT_S = 30.0
# For requests that had arrived when the owner began to end: they get their answer, which is that it is ending.
ANSWER_WAIT_S = 0.25
# How often the accepting thread looks whether it should end, when nothing wakes it.
ACCEPT_WAIT_S = 0.5


class Owner:
    """Answers for a store until closed. A context manager.

    Args:
        store: What is asked; any thread may use it.
        operations: What may be called, by name.
        data_dir: Where the owner's file goes, for a database that lies there too.
        pipeline: Only requests for this pipeline are answered.
        clock: For the time that the owner's file tells.
        store_url: The store, as in the settings: the owner's file lies beside a database that is
            named there.
        transport: The kind of socket; what the system offers by default.
    """

    def __init__(
        self,
        store: Store,
        operations: Mapping[str, Operation],
        data_dir: Path,
        pipeline: str,
        clock: Clock,
        *,
        store_url: str = "duckdb:",
        transport: Transport | None = None,
    ) -> None:
        self._store = store
        self._operations = operations
        self._pipeline = pipeline
        self._clock = clock
        self._transport = transport or usual_transport()
        self._place = owner_file(data_dir, pipeline, store_url)
        self._slots = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self._guard = threading.Lock()
        self._conversations: dict[threading.Thread, socket.socket] = {}
        self._calling: set[threading.Thread] = set()
        self._closing = threading.Event()
        self._listening: Listening | None = None
        self._record: OwnerRecord | None = None
        self._acceptor: threading.Thread | None = None

    def start(self) -> None:
        """Listen, and say where.

        Raises:
            OSError: No socket can be made, or the owner's file can't be written.
        """
        left = read_record(self._place)
        if left is not None:
            remove_leftovers(left)
        self._place.parent.mkdir(parents=True, exist_ok=True)
        listening = listen(self._place, self._transport)
        listening.listener.settimeout(ACCEPT_WAIT_S)
        record = OwnerRecord(
            pipeline=self._pipeline,
            pid=os.getpid(),
            host=socket.gethostname(),
            started_at=self._clock.now().isoformat().replace("+00:00", "Z"),
            instance=secrets.token_hex(8),
            transport=self._transport,
            address=listening.address,
            token=secrets.token_urlsafe(32),
        )
        self._listening, self._record = listening, record
        self._acceptor = threading.Thread(
            target=self._accept, args=(listening.listener, record), name="owner", daemon=True
        )
        self._acceptor.start()
        write_record(self._place, record)
        log("owner.listening", pipeline=self._pipeline, file=str(self._place))

    def close(self) -> None:
        """Stop listening, cut readers off, let operations complete for a while. Harmless twice, or
        before a start.
        """
        if self._listening is None or self._record is None or self._acceptor is None:
            return
        self._closing.set()
        remove_record(self._place, self._record.instance)
        self._wake(self._record)
        self._acceptor.join()
        self._listening.close()
        self._listening = None
        # First nothing more is heard: who has asked for an operation that isn't begun is told so, instead of being hung up on.
        threads = self._cut(socket.SHUT_RD)
        self._join(threads, ANSWER_WAIT_S)
        self._join(self._cut(socket.SHUT_RDWR), CLOSE_WAIT_S)

    def _cut(self, direction: int) -> list[threading.Thread]:
        """End what those hear, or hear and say, who carry out no operation; return all that are left."""
        with self._guard:
            for thread, connection in self._conversations.items():
                if thread not in self._calling:
                    with contextlib.suppress(OSError):  # the client has hung up already
                        connection.shutdown(direction)
            return list(self._conversations)

    def _join(self, threads: Sequence[threading.Thread], timeout_s: float) -> None:
        deadline_s = self._clock.monotonic() + timeout_s
        for thread in threads:
            thread.join(max(0.0, deadline_s - self._clock.monotonic()))

    def __enter__(self) -> "Owner":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self, listener: socket.socket, record: OwnerRecord) -> None:
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
                target=self._converse, args=(connection, record), name="owner-client", daemon=True
            )
            with self._guard:
                self._conversations[thread] = connection
            thread.start()

    def _converse(self, connection: socket.socket, record: OwnerRecord) -> None:
        try:
            with connection:
                connection.settimeout(REQUEST_TIMEOUT_S)
                hello: dict[str, Json] = {"instance": record.instance, "pipeline": record.pipeline}
                wire.send(connection, Kind.HELLO, wire.pack(hello))
                kind, content = wire.receive(connection, wire.REQUEST_BYTES_MAX)
                if kind is Kind.REQUEST:
                    connection.settimeout(SEND_TIMEOUT_S)
                    self._answer(connection, record, wire.unpack(content))
        except Disconnected:
            pass  # the client is gone or was cut off: there is nobody to tell, and nothing to undo
        finally:
            with self._guard:
                del self._conversations[threading.current_thread()]
            self._slots.release()

    def _answer(
        self, connection: socket.socket, record: OwnerRecord, request: Mapping[str, Json]
    ) -> None:
        try:
            _check(request, record)
            if request.get("op") == "call":
                self._call(connection, request)
            else:
                self._read(connection, request)
        except Disconnected:
            raise
        except QanatError as error:
            wire.send(connection, Kind.ERROR, wire.pack(wire.packed_error(error)))
        except Exception as error:  # noqa: BLE001 - whatever it was, the one who asked is told, and the work goes on
            told = QanatError(f"{type(error).__name__}: {error}")
            wire.send(connection, Kind.ERROR, wire.pack(wire.packed_error(told)))

    def _call(self, connection: socket.socket, request: Mapping[str, Json]) -> None:
        name, arguments = str(request.get("operation")), request.get("arguments")
        operation = self._operations.get(name)
        if operation is None:
            raise no_such_operation(name, self._operations)
        me = threading.current_thread()
        with self._guard:
            ending = self._closing.is_set()
            if not ending:
                self._calling.add(me)
        if ending:
            wire.send(connection, Kind.END)  # not begun: the client looks for the next owner
            return
        try:
            answer = operation(self._store, **(arguments if isinstance(arguments, dict) else {}))
            wire.send(connection, Kind.JSON, wire.pack(answer))
        finally:
            with self._guard:
                self._calling.discard(me)

    def _read(self, connection: socket.socket, request: Mapping[str, Json]) -> None:
        parameters = request.get("parameters")
        bound = wire.unpacked_parameters(parameters if isinstance(parameters, dict) else {})
        limit_s = request.get("limit_s")
        with self._store.snapshot(
            float(limit_s) if isinstance(limit_s, int | float) else 0.0
        ) as reader:
            _send_batches(connection, reader.stream(str(request.get("sql")), bound))
        wire.send(connection, Kind.END)

    @staticmethod
    def _wake(record: OwnerRecord) -> None:
        with contextlib.suppress(OSError):  # it wakes by itself, a moment later
            connect(record, timeout_s=1.0).close()


def no_such_operation(name: str, operations: Mapping[str, Operation]) -> ConfigError:
    """Return the error that says which operations there are."""
    offered = ", ".join(sorted(operations)) or "none, for this pipeline has no operations"
    return ConfigError("the operation", name, f"one of {offered}")


def _check(request: Mapping[str, Json], record: OwnerRecord) -> None:
    if not hmac.compare_digest(str(request.get("token")).encode(), record.token.encode()):
        raise ConfigError("the token", "…", "the one in the owner's file")
    if request.get("pipeline") != record.pipeline:
        raise ConfigError("the pipeline", request.get("pipeline"), record.pipeline)


def _send_batches(connection: socket.socket, batches: "pa.RecordBatchReader") -> None:
    import pyarrow as pa

    buffer = io.BytesIO()
    with pa.ipc.new_stream(buffer, batches.schema) as writer:
        _send_buffer(connection, buffer)
        for batch in batches:
            writer.write_batch(batch)
            _send_buffer(connection, buffer)
    _send_buffer(connection, buffer)


def _send_buffer(connection: socket.socket, buffer: io.BytesIO) -> None:
    content = buffer.getvalue()
    for start in range(0, len(content), wire.PIECE_BYTES_MAX):
        wire.send(connection, Kind.DATA, content[start : start + wire.PIECE_BYTES_MAX])
    buffer.seek(0)
    buffer.truncate()
