"""One way to a store, whoever holds it: this process, another one, or nobody."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from qanat.clock import SystemClock
from qanat.errors import BadFile, ConfigError
from qanat.interfaces import Store
from qanat.pipelines.metering import PIPELINE
from qanat.runtime.owner_wire import Json, Operation
from qanat.session import (
    NothingYet,
    Session,
    capabilities_of,
    holder,
    open_session,
    owning,
    store_text,
)
from qanat.settings import CommonSettings
from qanat.wiring import open_store
from tests.unit.runtime.owner_child import BIG, CONSUMERS, Child, fill, operations, settings_of

COUNT = "select count(*) as rows from totals"


@contextmanager
def session_of(
    settings: CommonSettings, offered: Mapping[str, Operation] | None = None
) -> Iterator[Session]:
    with open_session(PIPELINE, settings, SystemClock(), operations=offered) as session:
        yield session


def rows_of(session: Session) -> int:
    rows: int = session.query(COUNT).column("rows")[0].as_py()
    return rows


@pytest.fixture
def memory(tmp_path: Path) -> CommonSettings:
    """The settings of a store in this process that nobody holds, with a few rows."""
    settings = settings_of(tmp_path, f"memory:{uuid4()}")
    with closing(open_store(PIPELINE.name, settings, SystemClock())) as store:
        fill(store)
    return settings


def test_a_store_that_nobody_holds_is_opened(memory: CommonSettings) -> None:
    """Statements with parameters are answered by the store itself, at once or in batches."""
    with session_of(memory) as session:
        assert rows_of(session) == CONSUMERS
        parameters = {"consumer": 2}
        with session.stream(
            "select amount from totals where consumer = $consumer", parameters
        ) as reader:
            assert [BIG] == [int(v.as_py()) for v in reader.read_all().column("amount")]


def test_a_store_that_another_process_holds_is_asked(tmp_path: Path) -> None:
    """What this process couldn't open is answered by the one that has it."""
    settings = settings_of(tmp_path)
    with Child(tmp_path) as child, session_of(settings) as session:
        assert rows_of(session) == CONSUMERS
        record = holder(PIPELINE, settings)
        assert record is not None
        assert child.pid == record.pid


def test_a_session_outlives_the_processes_it_asks(tmp_path: Path) -> None:
    """A run may end, be killed, and begin again: each request finds whoever holds the store
    then.
    """
    settings = settings_of(tmp_path)
    with session_of(settings) as session:
        with Child(tmp_path) as child:
            assert rows_of(session) == CONSUMERS
            child.kill()
            with pytest.raises(ConfigError, match="totals"):
                rows_of(session)  # this process's own store in memory, which has no tables
        with Child(tmp_path):
            assert rows_of(session) == CONSUMERS
        assert holder(PIPELINE, settings) is None


def test_an_operation_is_carried_out_here(memory: CommonSettings) -> None:
    """Where nobody holds the store, this process's own operations are used."""
    with session_of(memory, operations()) as session:
        answer = session.call("echo", number=2**70)
        assert answer["number"] == 2**70
        with pytest.raises(BadFile, match=r"a\.txt is bad"):
            session.call("bad_file", name="a.txt")
        with pytest.raises(ConfigError, match="echo"):
            session.call("missing")


def test_an_operation_is_carried_out_there(tmp_path: Path) -> None:
    """Where another process holds the store, its operations are used, though this one has none."""
    with Child(tmp_path), session_of(settings_of(tmp_path)) as session:
        assert session.call("echo", text="é")["text"] == "é"
        with pytest.raises(BadFile) as caught:
            session.call("bad_file", name="a.txt")
    assert (caught.value.message, caught.value.hint) == ("a.txt is bad", "mend it")


def test_while_an_operation_writes_others_are_answered(memory: CommonSettings) -> None:
    """A process that opened the store for an operation answers for it as long as that takes."""
    seen: list[Json] = []

    def look(store: Store) -> dict[str, Json]:
        record = holder(PIPELINE, memory)
        with session_of(memory) as other:
            seen.append(rows_of(other))
        return {"held": record is not None}

    with session_of(memory, {"look": look}) as session:
        assert session.call("look") == {"held": True}
    assert seen == [CONSUMERS]
    assert holder(PIPELINE, memory) is None


def test_an_operation_waits_for_readers(memory: CommonSettings) -> None:
    """An operation of another thread begins when the results that are being read here are given
    back.
    """
    order: list[str] = []

    def write(store: Store) -> dict[str, Json]:
        order.append("written")
        return {}

    with session_of(memory, {"write": write}) as session:
        with session.stream(COUNT) as reader:
            thread = threading.Thread(target=session.call, args=("write",))
            thread.start()
            thread.join(0.1)
            order.append("read")
            reader.read_all()
        thread.join()
    assert order == ["read", "written"]


def test_owning_answers_for_a_store(memory: CommonSettings) -> None:
    """What `run` does: within the context others are answered, with its operations."""
    clock = SystemClock()
    with (
        closing(open_store(PIPELINE.name, memory, clock)) as store,
        owning(store, PIPELINE, memory, clock, operations()),
        session_of(memory) as session,
    ):
        assert holder(PIPELINE, memory) is not None
        assert store.identity == session.call("echo")["identity"]


def test_a_store_of_no_known_kind_is_refused(tmp_path: Path) -> None:
    """A wrong URL is wrong use, before anything is looked for."""
    with pytest.raises(ConfigError, match="--store"), session_of(settings_of(tmp_path, "oracle:x")):
        pass


@pytest.mark.parametrize(
    ("url", "shared"), [("duckdb:", False), ("memory:", False), ("postgresql://h/d", True)]
)
def test_what_a_store_can_do_is_known_without_it(tmp_path: Path, url: str, shared: bool) -> None:
    """The picture of a pipeline needs no database."""
    assert shared is capabilities_of(settings_of(tmp_path, url)).shared


def test_what_is_known_of_a_store_is_what_it_says(tmp_path: Path) -> None:
    """The embedded stores agree with what is told of them."""
    for url in ("memory:",):
        settings = settings_of(tmp_path, url)
        with closing(open_store(PIPELINE.name, settings, SystemClock())) as store:
            assert capabilities_of(settings) == store.capabilities


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("duckdb:", "duckdb:data"),
        ("duckdb:/a/b.duckdb", "duckdb:/a/b.duckdb"),
        ("postgresql://me:secret@host:5432/db?password=secret", "postgresql://host:5432/db"),
        ("postgresql+local:dir", "postgresql+local:dir"),
    ],
)
def test_a_stores_text_tells_no_password(url: str, text: str) -> None:
    """What is printed names the store, and no secret."""
    assert text == store_text(CommonSettings(store=url, data_dir=Path("data")))


@pytest.mark.postgres
def test_a_shared_store_is_simply_opened(postgres_url: str, tmp_path: Path) -> None:
    """On PostgreSQL every process has it open: nobody is asked, and nothing is made by looking."""
    settings = settings_of(tmp_path, postgres_url)
    with session_of(settings, operations()) as session:
        for look in (lambda: rows_of(session), lambda: session.call("echo")):
            with pytest.raises(NothingYet):
                look()
    with closing(open_store(PIPELINE.name, settings, SystemClock())) as store:
        fill(store)
        with session_of(settings, operations()) as session, session.stream(COUNT) as reader:
            assert [CONSUMERS] == reader.read_all().column("rows").to_pylist()
            assert store.identity == session.call("echo")["identity"]
        assert holder(PIPELINE, settings) is None
        with owning(store, PIPELINE, settings, SystemClock(), operations()):
            assert list(tmp_path.iterdir()) == []
