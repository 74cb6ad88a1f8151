"""A DuckDB file lets one process in: a session reads it nevertheless, and is in nobody's way."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from qanat.clock import Clock, SystemClock
from qanat.errors import Busy, QanatError
from qanat.interfaces import Store
from qanat.pipelines.metering import PIPELINE
from qanat.runtime.owner_address import owner_file
from qanat.runtime.owner_wire import Json
from qanat.session import NothingYet, Session, holder, open_session, open_to_hold
from qanat.settings import CommonSettings
from qanat.testing import FakeClock
from qanat.wiring import open_store
from tests.unit.runtime.owner_child import BIG, LETTERS, Child, fill, operations, settings_of

COUNT = "select count(*) as rows from dead_letters"


@contextmanager
def session_of(settings: CommonSettings, clock: Clock | None = None) -> Iterator[Session]:
    offered = {**operations(), "add": add}
    with open_session(PIPELINE, settings, clock or SystemClock(), operations=offered) as session:
        yield session


def add(store: Store) -> dict[str, Json]:
    """Fill once more."""
    fill(store)
    return {}


def rows_of(session: Session) -> int:
    rows: int = session.query(COUNT).column("rows")[0].as_py()
    return rows


@pytest.fixture
def settings(tmp_path: Path) -> CommonSettings:
    return settings_of(tmp_path, "duckdb:")


@pytest.fixture
def filled(settings: CommonSettings) -> CommonSettings:
    with closing(open_store(PIPELINE.name, settings, SystemClock())) as store:
        fill(store)
    return settings


def test_what_a_run_holds_is_read(settings: CommonSettings, tmp_path: Path) -> None:
    """While a process holds the file it is asked; when it is killed, the file is opened."""
    with session_of(settings) as session, Child(settings.data_dir, settings.store) as child:
        record = holder(PIPELINE, settings)
        assert record is not None
        assert child.pid == record.pid
        assert rows_of(session) == LETTERS
        child.kill()
        assert holder(PIPELINE, settings) is None
        assert rows_of(session) == LETTERS


def test_whoever_names_the_file_finds_its_owner(tmp_path: Path) -> None:
    """The owner of a file that a URL names is found with another data folder too."""
    url = f"duckdb:{tmp_path / 'elsewhere.duckdb'}"
    with Child(tmp_path / "one", url), session_of(settings_of(tmp_path / "two", url)) as session:
        assert rows_of(session) == LETTERS


def test_a_session_keeps_nobody_out(filled: CommonSettings) -> None:
    """A session that has read lets a run begin, and then asks it."""
    with session_of(filled) as session:
        assert rows_of(session) == LETTERS
        with Child(filled.data_dir, filled.store):
            assert rows_of(session) == 2 * LETTERS


@pytest.mark.parametrize("ask", [rows_of, lambda session: session.call("echo")])
def test_where_nothing_was_counted_nothing_is_made(
    settings: CommonSettings, tmp_path: Path, ask: Callable[[Session], object]
) -> None:
    """Looking, or asking for an operation, in the wrong place says so and leaves no file behind."""
    with session_of(settings) as session, pytest.raises(NothingYet) as caught:
        ask(session)
    assert caught.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_doesnt_answer_yet_is_waited_for(settings: CommonSettings) -> None:
    """A file that is locked by a process without an owner's file is tried again, until it
    answers.
    """
    place = owner_file(settings.data_dir, PIPELINE.name, settings.store)
    hidden = place.with_suffix(".hidden")

    class AnswersSoon(SystemClock):
        """The owner's file appears after the first attempt."""

        def sleep(self, seconds: float) -> None:
            if hidden.exists():
                hidden.rename(place)

    with Child(settings.data_dir, settings.store):
        place.rename(hidden)
        with session_of(settings, AnswersSoon()) as session:
            assert rows_of(session) == LETTERS


def test_a_process_that_never_answers_is_named(settings: CommonSettings) -> None:
    """After a while it is said who holds the file; nothing was changed."""
    place = owner_file(settings.data_dir, PIPELINE.name, settings.store)
    with Child(settings.data_dir, settings.store) as child:
        place.unlink()
        for ask in (rows_of, lambda session: session.call("echo")):
            with (
                session_of(settings, FakeClock()) as session,
                pytest.raises(Busy, match=str(child.pid)),
            ):
                ask(session)


def test_an_operation_writes_and_lets_go(filled: CommonSettings) -> None:
    """An operation that this process carries out is seen by the next reader, and by a run after
    it.
    """
    with session_of(filled) as session:
        session.call("add")
        assert rows_of(session) == 2 * LETTERS
        with Child(filled.data_dir, filled.store):
            assert rows_of(session) == 3 * LETTERS


def test_readers_and_operations_of_one_process_go_together(filled: CommonSettings) -> None:
    """Many threads of one process read and write at once, as a service does; nobody fails."""
    with session_of(filled) as session, ThreadPoolExecutor(8) as pool:
        asked = [
            pool.submit(session.call, "add") if number % 10 == 5 else pool.submit(rows_of, session)
            for number in range(40)
        ]
        counts = [future.result() for future in asked]
        assert rows_of(session) == 5 * LETTERS
    assert {count % LETTERS for count in counts if isinstance(count, int)} == {0}


def test_an_error_in_a_result_is_the_statements(filled: CommonSettings) -> None:
    """What fails after many rows is told alike, whether this process reads or another one."""
    sql = "select cast(case when i = 900000 then 'x' else '1' end as int) from range(900001) r(i)"
    kinds = []
    with session_of(filled) as session:
        with pytest.raises(QanatError) as alone:
            session.query(sql)
        kinds.append(type(alone.value))
        with Child(filled.data_dir, filled.store), pytest.raises(QanatError) as asked:
            session.query(sql)
        kinds.append(type(asked.value))
    assert kinds[0] is kinds[1]
    assert alone.value.message == asked.value.message


def test_a_run_waits_for_a_reader(filled: CommonSettings) -> None:
    """A run that begins while somebody looks isn't turned away."""
    opened: list[bool] = []

    def begin() -> None:
        with closing(open_to_hold(PIPELINE, filled, SystemClock())) as store:
            opened.append(bool(store.identity))

    with session_of(filled) as session:
        with session.stream(COUNT) as reader:
            thread = threading.Thread(target=begin)
            thread.start()
            assert reader.read_all().num_rows == 1
        thread.join()
    assert opened == [True]


def test_a_run_doesnt_wait_for_another_run(settings: CommonSettings) -> None:
    """Who holds the file for long, and answers for it, is named at once."""

    class NoWait(SystemClock):
        def sleep(self, seconds: float) -> None:
            raise AssertionError("it waits")

    with (
        Child(settings.data_dir, settings.store) as child,
        pytest.raises(Busy, match=str(child.pid)),
    ):
        open_to_hold(PIPELINE, settings, NoWait())


def test_values_are_the_same_from_either_side(filled: CommonSettings) -> None:
    """Types, moments, bytes and numbers beyond 64 bits don't depend on who answered."""
    sql = "select amount from totals union all select length from dead_letters order by 1"
    letters = "select * from dead_letters order by id"
    with session_of(filled) as session:
        alone = [session.query(sql), session.query(letters)]
        with closing(open_to_hold(PIPELINE, filled, SystemClock())) as store:
            from qanat.session import owning

            with owning(store, PIPELINE, filled, SystemClock(), operations()):
                asked = [session.query(sql), session.query(letters)]
    assert BIG in [int(value.as_py()) for value in alone[0].column(0)]
    assert all(one.equals(other) for one, other in zip(alone, asked, strict=True))
