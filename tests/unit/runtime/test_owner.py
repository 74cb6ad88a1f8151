"""The process that holds a store answers for it: asked by other processes, by strangers, by the
dead and by the slow.
"""

import json
import os
import socket
import stat
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from qanat.clock import SystemClock
from qanat.errors import BadFile, CommitUnknown, ConfigError, QanatError, Retryable
from qanat.interfaces import Scalar, Store
from qanat.pipelines.metering import PIPELINE
from qanat.runtime import owner_wire as wire
from qanat.runtime.owner import CONNECTIONS_MAX, Owner
from qanat.runtime.owner_address import Transport, connect, owner_file, read_record
from qanat.runtime.owner_client import OwnerConnection, find_owner
from qanat.runtime.owner_wire import Json, Kind
from qanat.wiring import open_store
from tests.unit.runtime.owner_child import AT, BIG, Child, fill, operations, settings_of

POSIX = pytest.mark.skipif(os.name != "posix", reason="Python has no UNIX sockets there")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(
        open_store(PIPELINE.name, settings_of(tmp_path, "memory:"), SystemClock())
    ) as made:
        fill(made)
        yield made


def an_owner(store: Store, data_dir: Path, transport: Transport | None = None) -> Owner:
    name, clock = PIPELINE.name, SystemClock()
    return Owner(
        store, operations(), data_dir, name, clock, store_url="memory:", transport=transport
    )


def place_of(data_dir: Path) -> Path:
    return owner_file(data_dir, PIPELINE.name, "memory:")


@contextmanager
def asked(
    data_dir: Path, sql: str, parameters: Mapping[str, Scalar] | None = None
) -> Iterator[pa.RecordBatchReader]:
    """Ask the owner a question, on a connection of its own."""
    with closing(found(data_dir)) as owner, owner.stream(sql, parameters) as reader:
        yield reader


def called(data_dir: Path, operation: str, **arguments: Json) -> dict[str, Json]:
    """Have the owner carry out an operation, on a connection of its own."""
    with closing(found(data_dir)) as owner:
        return owner.call(operation, arguments)


def found(data_dir: Path) -> OwnerConnection:
    owner = find_owner(place_of(data_dir))
    assert owner is not None
    return owner


@pytest.mark.parametrize("transport", [pytest.param("unix", marks=POSIX), "tcp"])
def test_another_process_asks(tmp_path: Path, transport: str) -> None:
    """A statement is answered by the process that holds the store, over either kind of socket."""
    with (
        Child(tmp_path, transport=transport) as child,
        asked(tmp_path, "select max(amount) as most from totals") as reader,
    ):
        assert [BIG] == [int(value.as_py()) for value in reader.read_all().column("most")]
        record = read_record(place_of(tmp_path))
        assert record is not None
        assert child.pid == record.pid


@pytest.mark.parametrize("transport", [pytest.param("unix", marks=POSIX), "tcp"])
def test_parameters_and_moments_travel(tmp_path: Path, store: Store, transport: str) -> None:
    """A bound moment, number and text select what they select there."""
    sql = (
        "select raw, rejected_at from dead_letters"
        " where rejected_at = $at and byte_offset = $offset and raw = $raw"
    )
    parameters: dict[str, Scalar] = {"at": AT, "offset": 0, "raw": b"7 x\xff\x1b"}
    with (
        an_owner(store, tmp_path, Transport(transport)),
        asked(tmp_path, sql, parameters) as reader,
    ):
        rows = reader.read_all().to_pylist()
    assert [{"raw": b"7 x\xff\x1b", "rejected_at": AT}] == rows


def test_a_large_result_comes_in_pieces(tmp_path: Path, store: Store) -> None:
    """A result of many batches arrives whole and in order; the reader decides how fast."""
    sql = "select i from range(300000) r(i) order by i"
    with an_owner(store, tmp_path), asked(tmp_path, sql) as reader:
        batches = [batch.column("i").to_pylist() for batch in reader]
    assert len(batches) > 1
    assert list(range(300_000)) == [value for batch in batches for value in batch]


def test_an_error_midway_is_reported(tmp_path: Path, store: Store) -> None:
    """What fails after a million rows fails at the reader, and is not taken for the end."""
    sql = (
        "select cast(case when i = 1900000 then 'x' else '1' end as integer) as i"
        " from range(2000000) r(i)"
    )
    with (
        an_owner(store, tmp_path),
        pytest.raises(QanatError, match="Could not convert"),
        asked(tmp_path, sql) as reader,
    ):
        reader.read_all()


def test_an_invalid_statement_is_the_askers_fault(tmp_path: Path, store: Store) -> None:
    """Its error arrives as the class it had there: wrong use."""
    with an_owner(store, tmp_path), pytest.raises(ConfigError), asked(tmp_path, "selec 1"):
        pass


def test_an_operation_is_carried_out_there(tmp_path: Path, store: Store) -> None:
    """Arguments arrive exactly, the answer comes back."""
    arguments: dict[str, Json] = {"number": 2**100, "list": [1, None, "é\udc80"]}
    with an_owner(store, tmp_path):
        answer = called(tmp_path, "echo", **arguments)
    assert {"identity": store.identity, **arguments} == answer


@pytest.mark.parametrize(
    ("operation", "arguments", "kind", "message"),
    [
        ("bad_file", {"name": "a.txt"}, BadFile, "a.txt is bad"),
        ("broken", {}, QanatError, "a mistake in the operation"),
        ("missing", {}, ConfigError, "bad_file, broken, echo"),
        ("bad_file", {"wrong": 1}, QanatError, "TypeError"),
    ],
)
def test_an_operations_error_is_raised_here(
    tmp_path: Path,
    store: Store,
    operation: str,
    arguments: dict[str, Json],
    kind: type[QanatError],
    message: str,
) -> None:
    """Whatever goes wrong there is told here, and the owner goes on answering."""
    with an_owner(store, tmp_path):
        with pytest.raises(kind, match=message):
            called(tmp_path, operation, **arguments)
        assert called(tmp_path, "echo", again=True)["again"]


def test_a_killed_owner_is_nobody(tmp_path: Path) -> None:
    """What a killed process left behind is recognised; its successor takes its place."""
    with Child(tmp_path) as child:
        child.kill()
        assert read_record(place_of(tmp_path)) is not None
        assert find_owner(place_of(tmp_path)) is None
    with Child(tmp_path) as successor, closing(found(tmp_path)) as owner:
        assert successor.pid == owner.record.pid


def test_a_stranger_on_the_address_is_nobody(tmp_path: Path, store: Store) -> None:
    """A port that another program has by now isn't mistaken for the owner."""
    with an_owner(store, tmp_path, Transport.TCP):
        values = json.loads(place_of(tmp_path).read_text())
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        values["address"] = f"127.0.0.1:{stranger.getsockname()[1]}"
        place_of(tmp_path).write_text(json.dumps(values))
        greeter = threading.Thread(target=_greet_wrongly, args=(stranger,))
        greeter.start()
        assert find_owner(place_of(tmp_path)) is None
        greeter.join()


def _greet_wrongly(stranger: socket.socket) -> None:
    connection, _ = stranger.accept()
    with connection:
        wire.send(connection, Kind.HELLO, wire.pack({"instance": "another"}))


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"transport": "pigeon"}', "\0"])
def test_a_damaged_file_is_nobody(tmp_path: Path, content: str) -> None:
    """An owner's file that can't be read as one doesn't stop anybody."""
    place_of(tmp_path).write_text(content)
    assert find_owner(place_of(tmp_path)) is None


@pytest.mark.parametrize("wrong", ["token", "pipeline"])
def test_who_shows_the_wrong_token_gets_nothing(tmp_path: Path, store: Store, wrong: str) -> None:
    """A request without the secret of the owner's file, or for another pipeline, is refused."""
    with an_owner(store, tmp_path, Transport.TCP):
        record = read_record(place_of(tmp_path))
        assert record is not None
        request: dict[str, Json] = {
            "op": "call",
            "operation": "echo",
            "token": record.token,
            "pipeline": record.pipeline,
            wrong: "guessed",
        }
        with connect(record, 10) as connection:
            wire.receive(connection, 4096)
            wire.send(connection, Kind.REQUEST, wire.pack(request))
            kind, content = wire.receive(connection, wire.ANSWER_BYTES_MAX)
    assert kind is Kind.ERROR
    assert wire.unpack(content)["class"] == "ConfigError"
    assert record.token.encode() not in content


@POSIX
def test_nobody_else_may_read_or_connect(tmp_path: Path, store: Store) -> None:
    """The file with the token and the socket are their user's alone."""
    with an_owner(store, tmp_path):
        record = read_record(place_of(tmp_path))
        assert record is not None
        modes = [stat.S_IMODE(Path(p).stat().st_mode) for p in (place_of(tmp_path), record.address)]
    assert modes == [0o600, 0o600]


def test_nothing_is_left_at_the_end(tmp_path: Path, store: Store) -> None:
    """A closed owner leaves neither file nor socket, and closing twice is harmless."""
    owner = an_owner(store, tmp_path)
    owner.start()
    owner.close()
    owner.close()
    assert list(tmp_path.iterdir()) == []


@POSIX
def test_a_long_path_is_evaded(tmp_path: Path, store: Store) -> None:
    """Where a socket's path would be too long it lies in a private folder, which goes with the
    owner.
    """
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    with an_owner(store, deep), closing(found(deep)) as owner:
        folder = Path(owner.record.address).parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert owner.call("echo", {})["identity"] == store.identity
    assert not folder.exists()


@POSIX
def test_the_folder_of_a_killed_owner_goes(tmp_path: Path) -> None:
    """Its successor removes the temporary folder that a killed owner couldn't."""
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    with Child(deep) as child:
        left = read_record(place_of(deep))
        child.kill()
    assert left is not None
    assert Path(left.address).parent.exists()
    with Child(deep):
        pass
    assert not Path(left.address).parent.exists()


def test_idle_connections_are_bounded_and_make_room(tmp_path: Path, store: Store) -> None:
    """More clients than threads wait their turn; a client that says nothing gives its place back
    when it goes.
    """
    with an_owner(store, tmp_path):
        record = read_record(place_of(tmp_path))
        assert record is not None
        silent = [connect(record, 10) for _ in range(CONNECTIONS_MAX + 3)]
        for connection in silent:
            connection.close()
        assert called(tmp_path, "echo", heard=True)["heard"]


def test_a_reader_is_cut_off_at_the_end(tmp_path: Path, store: Store) -> None:
    """Who reads slowly doesn't keep the owner from ending; the reader is told."""
    sql = "select i, i as j from range(5000000) r(i)"
    with an_owner(store, tmp_path) as holding, asked(tmp_path, sql) as reader:
        reader.read_next_batch()
        holding.close()
        with pytest.raises(Retryable, match="hung up"):
            reader.read_all()


def test_an_operation_may_complete_at_the_end(tmp_path: Path) -> None:
    """An operation that has begun is done, and answered, though the process was asked to end."""
    outcomes: list[object] = []
    with Child(tmp_path):
        owner = found(tmp_path)
        thread = _call_long(owner, tmp_path / "begun", outcomes)
    thread.join()
    owner.close()
    assert outcomes == [{"done": True}]


def test_an_unanswered_operation_is_unknown(tmp_path: Path) -> None:
    """When the owner is killed within an operation, it is said that nobody knows whether it is
    done.
    """
    outcomes: list[object] = []
    with Child(tmp_path) as child, closing(found(tmp_path)) as owner:
        thread = _call_long(owner, tmp_path / "begun", outcomes)
        child.kill()
        thread.join()
    assert [CommitUnknown] == [type(outcome) for outcome in outcomes]


def _call_long(owner: OwnerConnection, begun: Path, outcomes: list[object]) -> threading.Thread:
    """Call an operation that lasts until the owner ends; return once it has begun."""

    def call() -> None:
        try:
            outcomes.append(owner.call("until_ending", {"begun": str(begun)}))
        except QanatError as error:
            outcomes.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    while not begun.exists():
        thread.join(0.01)
        assert thread.is_alive(), outcomes
    return thread
