"""A statement's text: inline, from a file of a package, or one per engine."""

import sys
from pathlib import Path

import pytest

from qanat.sql import SqlError, check, load_sql
from qanat.tables import Column, ColumnType, Table

COLUMNS = (Column("a", ColumnType.INT64),)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "some_pipeline"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "some_pipeline", raising=False)
    return folder


def test_file(package: Path) -> None:
    """A message names the file as it was referred to, and the line in it."""
    (package / "sums.sql").write_text("-- One row.\nselect\n    b\nfrom batch\n", encoding="utf-8")
    with pytest.raises(SqlError, match=r"^some_pipeline:sums\.sql:3:5: no column 'b'"):
        check(load_sql("some_pipeline:sums.sql"), {"batch": COLUMNS})


@pytest.mark.parametrize("reference", ["some_pipeline:none.sql", "no_such_package:a.sql"])
def test_no_file(package: Path, reference: str) -> None:
    with pytest.raises(SqlError, match="no such file"):
        load_sql(reference)


def test_per_engine() -> None:
    """Each engine gets its text as it stands; the table tells the columns."""
    sql = load_sql("-- engine: duckdb\nselect 1 as a\n-- engine: spark\nselect 1L as a\n")
    checked = check(sql, {}, Table("t", COLUMNS))
    assert checked.columns == COLUMNS
    assert checked.text_for("duckdb") == "select 1 as a"
    assert checked.text_for("spark") == "select 1L as a"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("-- engine: oracle\nselect 1", "no engine is called 'oracle'"),
        ("-- engine: duckdb\nselect 1\n-- engine: duckdb\nselect 2", "second section for duckdb"),
        ("-- engine: duckdb\nselect from where", "the text for duckdb isn't valid"),
    ],
)
def test_per_engine_wrong(text: str, word: str) -> None:
    with pytest.raises(SqlError, match=word):
        check(load_sql(text), {}, Table("t", COLUMNS))


def test_per_engine_missing() -> None:
    """An engine that has no text says so; a statement without a table can't be written per engine."""
    sql = load_sql("-- engine: duckdb\nselect 1 as a")
    with pytest.raises(SqlError, match="no text for spark"):
        check(sql, {}, Table("t", COLUMNS)).text_for("spark")
    with pytest.raises(SqlError, match="needs a table"):
        check(sql, {})


def test_parameters() -> None:
    """What isn't declared needs a cast; the names are known."""
    checked = check(
        load_sql("select a from batch where a > cast($least as bigint)"), {"batch": COLUMNS}
    )
    assert checked.parameters == {"least"}
    with pytest.raises(SqlError, match=r"cast\(\$least as its type\)"):
        check(load_sql("select a from batch where a > $least"), {"batch": COLUMNS})
