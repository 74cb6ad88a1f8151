"""Every `.sql` that ships gives equal rows on DuckDB and on Spark."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import pyarrow as pa
import pytest

from qanat.engines.duckdb import DuckdbEngine
from qanat.sql import check
from qanat.tables import Column
from tests.parity.conftest import Engines
from tests.parity.rows import Value, differences, generated
from tests.parity.shipped import NOT_COMPARED, NOW, files, pipelines, statements

STATEMENTS = {each.name: each for each in statements()}

_NEAR = [NOW + timedelta(minutes=17, microseconds=3) * step for step in range(-200, 4)]
_HOURS = [NOW + timedelta(hours=step) for step in (-4000, -1500, -700, *range(-60, 3))]
_WORDS = ("a", "ß", "it's", "😀", "A")

POOLS: Mapping[str, Sequence[Value]] = {
    **dict.fromkeys(("hour", "period_start"), _HOURS),
    **dict.fromkeys(("created_at", "ordered_at", "registered_at", "ended_at", "rejected_at", "received_at"), _NEAR),
    **dict.fromkeys(("wiki", "domain", "user_name", "product"), _WORDS),
    **dict.fromkeys(("user_id", "page_id", "consumer", "namespace"), range(6)),
    "who": ("#1", "#2", "#3", "a", "ß", "it's"),
    "pages": range(1, 9),
    "bot_pages": range(3),
    "articles": range(4),
    "granularity": ("hour", "day", "month"),
    "state": ("counted", "registered", "failed", "held", "undone", "open"),
    "size": range(0, 10**12, 10**11),
    "lines_good": range(100),
    "lines_bad": range(3),
}  # fmt: skip
"""Values by column, so that the rows of several tables belong together."""

KEYS = {table.name: table.key for pipeline in pipelines() for table in pipeline.tables}


def rows_of(name: str, columns: Sequence[Column], count: int) -> pa.Table:
    """Make rows of a table; no two have one key."""
    rows = generated(columns, count, seed=len(name), pools=POOLS)
    key = KEYS.get(name, ())
    if not key:
        return rows
    seen: dict[tuple[object, ...], int] = {}
    for index, values in enumerate(
        zip(*(rows.column(each).to_pylist() for each in key), strict=True)
    ):
        seen.setdefault(values, index)
    return rows.take(list(seen.values()))


def test_every_file_is_compared() -> None:
    """A new `.sql` belongs to a report, a look-up or a write, or says why not."""
    assert files() == {each.sql.place for each in STATEMENTS.values()} | set(NOT_COMPARED)


@pytest.mark.parametrize("name", STATEMENTS)
def test_checks(name: str) -> None:
    """It is accepted, and has the columns that are declared."""
    shipped = STATEMENTS[name]
    checked = check(shipped.sql, shipped.inputs, shipped.target, shipped.parameters)
    if shipped.columns:
        declared = [(column.name, column.type) for column in shipped.columns]
        assert declared == [(column.name, column.type) for column in checked.columns]


@pytest.mark.parity
@pytest.mark.xdist_group("spark")
@pytest.mark.parametrize("name", STATEMENTS)
def test_shipped(name: str, engines: Engines) -> None:
    """On rows that belong together, with ties and nulls, and on empty tables; with each set of parameters."""
    shipped = STATEMENTS[name]
    checked = check(shipped.sql, shipped.inputs, shipped.target, shipped.parameters)
    text = checked.text_for("duckdb")
    tables = {
        table: rows_of(table, columns, 400)
        for table, columns in shipped.inputs.items()
        if f'from "{table}"' in text or f'join "{table}"' in text
    }
    found = [
        engines.agree(checked, tables, values, ordered=" order by " in text[-80:])
        for values in shipped.values
    ]
    assert any(rows.num_rows for rows in found)
    empty = {table: rows.slice(0, 0) for table, rows in tables.items()}
    engines.agree(checked, empty, shipped.values[0])


@dataclass(frozen=True, slots=True)
class AsWritten:
    """The text of a file, as a store is given it."""

    columns: tuple[Column, ...]
    parameters: frozenset[str]
    text: str

    def text_for(self, engine: str) -> str:
        return self.text


@pytest.mark.parametrize("name", [name for name, each in STATEMENTS.items() if each.columns])
def test_as_a_store_runs_it(name: str) -> None:
    """What a store runs is the file itself; it returns what the checked text does."""
    shipped = STATEMENTS[name]
    checked = check(shipped.sql, shipped.inputs, shipped.target, shipped.parameters)
    written = AsWritten(checked.columns, checked.parameters, shipped.sql.text)
    tables = {table: rows_of(table, columns, 400) for table, columns in shipped.inputs.items()}
    with DuckdbEngine() as engine:
        for values in shipped.values:
            ours = engine.run(checked, tables, values)
            theirs = engine.run(written, tables, values)
            assert [] == list(differences(ours, theirs, ordered=True))
