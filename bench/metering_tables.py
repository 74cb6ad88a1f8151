"""The tables that the sums are added to: made once for each kind, copied before each round, compared after it."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import duckdb
import metering_durable as durable
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from qanat.clock import SystemClock
from qanat.interfaces import Scalar, Store
from qanat.pipelines.metering import ADD_TO_TOTALS, ADD_TO_USAGE, PIPELINE, TOTALS, USAGE
from qanat.pipelines.metering.generate.distribution import spread_ids
from qanat.settings import CommonSettings
from qanat.wiring import open_store

# Consumers are numbers of up to so many digits, at random.
CONSUMER_DIGITS = 12
AMOUNT_MAX = 10**6
# The period of what is there before: an hour that has ended.
HOUR = datetime(2026, 1, 1, 12, tzinfo=UTC)

FINGERPRINT = """
    -- rows, their sum, and what hardly any other rows have in common, in whatever order they are
    select count(*), sum(amount)::hugeint, sum(hash(consumer, amount::bigint))
    from {source}
"""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What two tables with the same totals have in common."""

    rows: int
    total: int
    mixed: int


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one number of consumers, in a folder.

    Attributes:
        totals: What they hold: consumer and amount, int64, in no order.
    """

    folder: Path
    totals: pa.Table

    @classmethod
    def of(cls, folder: Path, consumers: int) -> "Tables":
        """Draw the totals of so many consumers, who are those of the generator."""
        random = np.random.default_rng(1)
        keys = random.permutation(spread_ids(consumers, CONSUMER_DIGITS).astype(np.int64))
        amounts = random.integers(1, AMOUNT_MAX, consumers)
        return cls(folder, pa.table({"consumer": keys, "amount": amounts}))

    def restore(self, kind: str, place: Path) -> None:
        """Put a fresh copy of a table to `place`, on disk and in the page cache."""
        template = self.folder / kind
        if not template.exists():
            MAKERS[kind](template, self.totals)
        if template.is_dir():
            shutil.copytree(template, place)
        else:
            shutil.copyfile(template, place)
        for path in (place, *place.rglob("*")) if place.is_dir() else (place,):
            durable.sync(path)

    def fingerprint(self, kind: str, place: Path) -> Fingerprint:
        """Read a table as a contender left it."""
        source = f"'{place}'" if kind == "parquet" else "totals"
        places: dict[str, Path | str] = {"parquet": ":memory:", "qanat": place / "metering.duckdb"}
        file = places.get(kind, place)
        with duckdb.connect(file, read_only=kind != "parquet") as connection:
            found = connection.execute(FINGERPRINT.format(source=source)).fetchone()
        assert found is not None
        return Fingerprint(*map(int, found))


def entered(store: Store, totals: pa.Table) -> None:
    """Enter the totals into a store of Qanat's as the pipeline does: to `totals`, and to `usage` of an hour."""
    amounts = totals.column("amount").cast(pa.decimal128(38, 0))
    rows = totals.set_column(1, "amount", amounts)
    others: dict[str, Scalar] = dict.fromkeys(set(TOTALS.names) - set(rows.column_names), 1)
    period: dict[str, Scalar] = {"period_start": HOUR, "granularity": "hour"}
    store.migrate(PIPELINE.tables)
    with store.begin("count", uuid4()) as transaction:
        transaction.write(TOTALS, rows, ADD_TO_TOTALS, others)
        transaction.write(USAGE, rows, ADD_TO_USAGE, period)
        transaction.commit()


def _make_qanat(folder: Path, totals: pa.Table) -> None:
    store = open_store(PIPELINE.name, CommonSettings(data_dir=folder), SystemClock())
    entered(store, totals)
    store.close()


def _make_duckdb(file: Path, totals: pa.Table, key: str = "") -> None:
    with duckdb.connect(file) as connection:
        connection.register("given", totals)
        connection.execute(f"create table totals (consumer bigint{key}, amount bigint)")
        connection.execute("insert into totals from given")


def _make_duckdb_key(file: Path, totals: pa.Table) -> None:
    _make_duckdb(file, totals, " primary key")


def _make_parquet(file: Path, totals: pa.Table) -> None:
    pq.write_table(totals, file, compression="none")


MAKERS: dict[str, Callable[[Path, pa.Table], None]] = {
    "qanat": _make_qanat,
    "duckdb": _make_duckdb,
    "duckdb-key": _make_duckdb_key,
    "parquet": _make_parquet,
}
"""Every kind of table, and what makes it from the totals."""
