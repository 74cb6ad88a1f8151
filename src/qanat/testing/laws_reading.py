"""Laws of reading: a snapshot is one moment, and readers can't write."""

from pathlib import Path
from threading import Event
from uuid import uuid4

import pyarrow as pa
import pytest

from qanat.errors import ConfigError
from qanat.interfaces import Store, Transaction
from qanat.tables import Append, Replace
from qanat.testing.laws_store import (
    EVENTS,
    FILES,
    STAGE,
    StoreLawsBase,
    committed,
    contents,
    rows,
    together,
    tuples,
)

COUNT = "select count(*) as n from law_events"
WRITES = (
    "insert into law_events (id) values (2)",
    "update law_events set body = 'x'",
    "delete from law_events",
    "drop table law_events",
    "create table law_other (id bigint)",
    "select 1 as one; delete from law_events",
    "alter table law_events add column extra bigint",
)


def _append(store: Store, *ids: int) -> None:
    given = rows(EVENTS, *((one, f"body {one}") for one in ids))
    committed(store, lambda tx: tx.write(EVENTS, given, Append()))


class ReadingLaws(StoreLawsBase):
    """A reader sees one consistent moment, and changes nothing."""

    def test_snapshot_stays_what_it_was(self, store: Store) -> None:
        """A snapshot shows the moment at which it was opened, whatever is committed while it is
        open.
        """
        _append(store, 1)
        with store.snapshot() as early:
            _append(store, 2)
            assert [1] == early.query("select id from law_events").column("id").to_pylist()
            with store.snapshot() as late:
                _append(store, 3)
                assert [2] == late.query(COUNT).column("n").to_pylist()
                assert [1] == early.query(COUNT).column("n").to_pylist()
        assert 3 == len(contents(store, EVENTS))

    def test_not_blocked_by_a_writer(self, store: Store) -> None:
        """While a transaction is open, another thread reads what was committed before it."""
        _append(store, 1)
        with store.begin(STAGE, uuid4()) as transaction:
            transaction.write(EVENTS, rows(EVENTS, (2, None)), Append())
            assert [[(1, "body 1")]] == together(1, lambda _: contents(store, EVENTS))
            transaction.commit()
        assert [(1, "body 1"), (2, None)] == contents(store, EVENTS)

    def test_never_half_a_batch(self, store: Store) -> None:
        """A reader beside a writer sees both tables of a batch or neither, in every snapshot."""
        done = Event()

        def batch(number: int) -> None:
            files = rows(FILES, *((one, f"{number}", bytes([one])) for one in range(5)))
            events = rows(EVENTS, *((number, None) for _ in range(number % 7)))

            def replace_both(transaction: Transaction) -> None:
                transaction.write(FILES, files, Replace())
                transaction.write(EVENTS, events, Replace())

            committed(store, replace_both)

        def write() -> int:
            try:
                for number in range(1, 21):
                    batch(number)
            finally:
                done.set()
            return 0

        def read() -> int:
            looks = 0
            while not done.is_set() or looks == 0:
                with store.snapshot() as reader:
                    files = tuples(reader.query("select distinct name from law_files"))
                    events = reader.query(COUNT).column("n").to_pylist()
                assert len(files) <= 1
                number = int(str(files[0][0])) if files else 0
                assert [number % 7] == events
                looks += 1
            return looks

        together(2, lambda who: write() if who == 0 else read())

    @pytest.mark.parametrize("statement", WRITES)
    def test_refuses_to_write(self, store: Store, statement: str) -> None:
        """A statement that writes is a ConfigError, by `query` as by `stream`, and changes
        nothing.
        """
        _append(store, 1)
        with store.snapshot() as reader, pytest.raises(ConfigError):
            reader.query(statement)
        with store.snapshot() as reader, pytest.raises(ConfigError):
            reader.stream(statement).read_all()
        assert [(1, "body 1")] == contents(store, EVENTS)

    def test_writes_no_files(self, store: Store, tmp_path: Path) -> None:
        """Copying to a file is writing."""
        target = tmp_path / "leak.csv"
        with store.snapshot() as reader, pytest.raises(ConfigError):
            reader.query(f"copy (select 1 as one) to '{target}'")
        assert not target.exists()

    @pytest.mark.parametrize(
        "statement", ["selekt 1", "select nothing from law_events", "", "select * from x"]
    )
    def test_invalid_statement(self, store: Store, statement: str) -> None:
        """A statement that isn't valid is a ConfigError, and the snapshot can be used on."""
        _append(store, 1)
        with store.snapshot() as reader:
            with pytest.raises(ConfigError):
                reader.query(statement)
            with pytest.raises(ConfigError):
                reader.stream(statement).read_all()
            assert [1] == reader.query(COUNT).column("n").to_pylist()

    def test_stream_in_batches(self, store: Store) -> None:
        """`stream` gives the rows of `query` in batches, several of them when there are many
        rows.
        """
        every = "select n from generate_series(1, $last) as g(n) order by n"
        with store.snapshot() as reader:
            batches = list(reader.stream(every, {"last": 300_000}))
            assert len(batches) > 1
            found = pa.Table.from_batches(batches)
            assert list(range(1, 300_001)) == found.column("n").to_pylist()

    def test_empty_result(self, store: Store) -> None:
        """No rows still have their columns and types."""
        every = "select id, body from law_events where id < $id"
        with store.snapshot() as reader:
            for found in (
                reader.query(every, {"id": 0}),
                reader.stream(every, {"id": 0}).read_all(),
            ):
                assert 0 == found.num_rows
                assert [("id", pa.int64()), ("body", pa.string())] == [
                    (field.name, field.type) for field in found.schema
                ]

    def test_snapshots_in_threads(self, store: Store) -> None:
        """Several threads read at once, each from its own snapshot."""
        _append(store, *range(100))

        def look(number: int) -> int:
            with store.snapshot() as reader:
                found = reader.query(
                    "select id from law_events where id < $id", {"id": 10 * number}
                )
                return len(found.column("id").to_pylist())

        assert [0, 10, 20, 30] == together(4, look)
