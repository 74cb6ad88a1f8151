"""What a user of bytewax would write: events off a socket into a DuckDB table, with its recovery store in SQLite.

python bench/events_by_bytewax.py URL FOLDER
"""

import sys
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import bytewax.operators as op
import duckdb
import pyarrow as pa
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import run_main
from events_peers import COLUMNS, Row, events, row


class Partition(StatefulSourcePartition[bytes, int]):
    """The one connection; its state is how many events came."""

    def __init__(self, url: str, count: int | None) -> None:
        self._coming = events(url)
        self._count = count or 0

    def next_batch(self) -> Iterable[bytes]:
        found = next(self._coming, None)
        if found is None:
            raise StopIteration
        self._count += len(found)
        return found

    def snapshot(self) -> int:
        return self._count


class Source(FixedPartitionedSource[bytes, int]):
    """Server-sent events of one URL."""

    def __init__(self, url: str) -> None:
        self._url = url

    def list_parts(self) -> list[str]:
        return ["0"]

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> Partition:
        return Partition(self._url, resume_state)


class TablePartition(StatefulSinkPartition[list[Row], None]):
    """A connection to the database; each batch is a transaction."""

    def __init__(self, file: str) -> None:
        self._connection = duckdb.connect(file)
        self._connection.execute(
            "create table if not exists creations (event_id varchar, created_at timestamptz, domain varchar,"
            " wiki varchar, page_id bigint, title varchar, user_name varchar, is_bot boolean)"
        )

    def write_batch(self, values: list[list[Row]]) -> None:
        for rows in values:
            columns = zip(*rows, strict=True)
            batch = pa.table(dict(zip(COLUMNS, columns, strict=True)))
            self._connection.register("batch", batch)
            self._connection.execute("insert into creations select * from batch")

    def snapshot(self) -> None:
        return None

    def close(self) -> None:
        self._connection.close()


class Table(FixedPartitionedSink[list[Row], None]):
    """The table `creations` of one database file."""

    def __init__(self, file: str) -> None:
        self._file = file

    def list_parts(self) -> list[str]:
        return ["0"]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> TablePartition:
        return TablePartition(self._file)


def rows_of(batch: list[bytes]) -> Iterator[tuple[str, list[Row]]]:
    """Read a batch; it stays one item, which is bytewax's quickest way."""
    found = [one for one in map(row, batch) if one is not None]
    if found:
        yield "0", found


def main(url: str, folder: Path) -> None:
    """Read until the connection ends."""
    recovery = folder / "recovery"
    recovery.mkdir()
    init_db_dir(recovery, 1)
    flow = Dataflow("events")
    stream = op.input("in", flow, Source(url))
    read = op.flat_map_batch("read", stream, rows_of)
    op.output("out", read, Table(str(folder / "bytewax.duckdb")))
    run_main(
        flow,
        epoch_interval=timedelta(seconds=1),
        recovery_config=RecoveryConfig(recovery),
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
