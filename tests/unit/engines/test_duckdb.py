"""DuckDB as an engine: types, parameters, isolation, errors."""

from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from qanat.engines.duckdb import FEW_ROWS, PREPARED_MAX, DuckdbEngine
from qanat.errors import Fatal
from qanat.sql import check, load_sql
from qanat.tables import Column, ColumnType, Table, arrow_schema

COLUMNS = (
    Column("a", ColumnType.INT64, nullable=True),
    Column("b", ColumnType.INT128, nullable=True),
)
ROWS = pa.table(
    {"a": [1, None], "b": [Decimal(10**30), None]}, schema=arrow_schema(Table("batch", COLUMNS))
)


def test_types() -> None:
    """The result has the declared types, whatever DuckDB computes in."""
    text = "select sum(a) as s, max(b) as m, count(*) as n, max(1.5) as f, true as t from batch"
    statement = check(load_sql(text), {"batch": COLUMNS})
    with DuckdbEngine() as engine:
        rows = engine.run(statement, {"batch": ROWS})
    assert rows.schema == arrow_schema(Table("result", statement.columns))
    assert rows.to_pylist() == [
        {"s": Decimal(1), "m": Decimal(10**30), "n": 2, "f": 1.5, "t": True}
    ]


def test_other_rows_each_time() -> None:
    """A relation of the same name is the one that was given last, and one that isn't given isn't there."""
    statement = check(load_sql("select count(*) as n from batch"), {"batch": COLUMNS})
    with DuckdbEngine() as engine:
        assert engine.run(statement, {"batch": ROWS}).to_pylist() == [{"n": 2}]
        assert engine.run(statement, {"batch": ROWS.slice(0, 1)}).to_pylist() == [{"n": 1}]
        with pytest.raises(Fatal, match="batch"):
            engine.run(statement, {"other": ROWS})


def test_parameters() -> None:
    """Only those that the statement names are bound."""
    statement = check(
        load_sql("select a from batch where a = cast($one as bigint)"), {"batch": COLUMNS}
    )
    with DuckdbEngine() as engine:
        rows = engine.run(statement, {"batch": ROWS}, {"one": 1, "other": "x"})
    assert rows.to_pylist() == [{"a": 1}]


def test_no_files() -> None:
    """A text for DuckDB can't read what lies around, nor the variables of its caller."""
    batch = ROWS
    for text in ("select a from read_csv('/etc/passwd') as t(a)", "select a from batch"):
        statement = check(load_sql(f"-- engine: duckdb\n{text}"), {}, Table("t", COLUMNS[:1]))
        with DuckdbEngine() as engine, pytest.raises(Fatal, match="DuckDB can't run"):
            engine.run(statement, {})
    assert batch.num_rows == 2


def test_check() -> None:
    """The engine itself looks at a statement before there are rows."""
    good = check(load_sql("select a from batch where a > cast($x as bigint)"), {"batch": COLUMNS})
    bad = check(load_sql("-- engine: duckdb\nselect c as a from batch"), {}, Table("t", COLUMNS))
    with DuckdbEngine() as engine:
        assert engine.check(good, {"batch": COLUMNS}) == good.columns
        with pytest.raises(Fatal, match='"c"'):
            engine.check(bad, {"batch": COLUMNS})


def test_unlike_declared() -> None:
    """A text of an engine's own that returns other columns, or nulls, is found when it has run."""
    table = Table("t", (Column("a", ColumnType.INT64),))
    for text, word in (
        ("select 1 as b", "columns"),
        ("select null as a", "null for a"),
        ("select 'x' as a", "returned a as"),
    ):
        statement = check(load_sql(f"-- engine: duckdb\n{text}"), {}, table)
        with DuckdbEngine() as engine, pytest.raises(Fatal, match=word):
            engine.run(statement, {})


def test_closed_twice() -> None:
    engine = DuckdbEngine()
    engine.close()
    engine.close()


def test_prepared_for_other_types() -> None:
    """A relation whose types change, or one that comes and goes, is planned anew."""
    with DuckdbEngine() as engine:
        for kind in (ColumnType.INT64, ColumnType.TEXT, ColumnType.INT64):
            columns = (Column("a", kind),)
            statement = check(load_sql("select max(a) as a from batch"), {"batch": columns})
            value = 7 if kind is ColumnType.INT64 else "seven"
            rows = pa.table({"a": [value]}, schema=arrow_schema(Table("batch", columns)))
            assert engine.run(statement, {"batch": rows}).to_pylist() == [{"a": value}]
            assert engine.run(statement, {"batch": rows, "other": ROWS}).to_pylist() == [
                {"a": value}
            ]


def test_many_statements() -> None:
    """More than are kept prepared."""
    with DuckdbEngine() as engine:
        for number in range(PREPARED_MAX + 3):
            statement = check(
                load_sql(f"select count(*) + {number} as n from batch"), {"batch": COLUMNS}
            )
            assert engine.run(statement, {"batch": ROWS}).to_pylist() == [{"n": number + 2}]


def test_read_twice() -> None:
    """A statement may read a relation several times."""
    text = "select count(*) as n from batch as x cross join batch as y where exists (select a from batch)"
    statement = check(load_sql(text), {"batch": COLUMNS})
    with DuckdbEngine() as engine:
        for count in (2, 1, 0):
            rows = ROWS.slice(0, count)
            assert engine.run(statement, {"batch": rows}).to_pylist() == [{"n": count * count}]


EVERY_TYPE = (
    Column("number", ColumnType.INT64, nullable=True),
    Column("wide", ColumnType.INT128, nullable=True),
    Column("ratio", ColumnType.FLOAT64, nullable=True),
    Column("name", ColumnType.TEXT, nullable=True),
    Column("raw", ColumnType.BYTES, nullable=True),
    Column("is_new", ColumnType.BOOLEAN, nullable=True),
    Column("seen_at", ColumnType.TIMESTAMP, nullable=True),
)
VALUES = {
    "number": [2**63 - 1, -(2**63), None, 0],
    "wide": [Decimal(10**37 + 1), None, Decimal(-1), Decimal(0)],
    "ratio": [float("nan"), None, -0.0, 1e308],
    "name": ["é😀\0", "", None, "a"],
    "raw": [b"\0\xff", b"", None, b"a"],
    "is_new": [True, None, False, True],
    "seen_at": [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC),
        None,
        datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC),
    ],
}


@pytest.mark.parametrize(
    "names",
    [("wide",), tuple(VALUES), ("raw", "number"), ("number", "ratio", "name", "is_new", "seen_at")],
)
@pytest.mark.parametrize("rows", [0, 1, 4])
def test_few_rows_as_many(names: tuple[str, ...], rows: int) -> None:
    """A few rows come on another way than many, and are the same: every type, its ends, nulls, in any order of batches."""
    columns = tuple(column for name in names for column in EVERY_TYPE if column.name == name)
    schema = arrow_schema(Table("batch", columns))
    few = pa.table({name: VALUES[name] for name in names}, schema=schema).slice(0, rows)
    many = pa.concat_tables([few] * (FEW_ROWS + 1))
    statement = check(load_sql(f"select {', '.join(names)} from batch"), {"batch": columns})
    with DuckdbEngine() as engine:
        for _ in range(2):
            assert_same(few, engine.run(statement, {"batch": few}))
            assert_same(many, engine.run(statement, {"batch": many}))


def assert_same(expected: pa.Table, found: pa.Table) -> None:
    """Equal, with NaN equal to itself, and -0.0 another value than 0.0."""
    assert expected.schema == found.schema
    assert repr(expected.to_pylist()) == repr(found.to_pylist())
