"""DuckDB as an engine: types, parameters, isolation, errors."""

from decimal import Decimal

import pyarrow as pa
import pytest

from qanat.engines.duckdb import PREPARED_MAX, DuckdbEngine
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
