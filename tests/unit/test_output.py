"""Rows are printed exactly, one by one, and harmlessly."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qanat.output import (
    MEASURED_ROWS,
    Form,
    Row,
    drawable,
    print_rows,
    printable,
    rows_of,
    text_of,
)

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(2**63), max_value=2**63 - 1),
    st.decimals(
        allow_nan=False, allow_infinity=False, places=0, min_value=-(10**37), max_value=10**37
    ),
    st.text(),
)


def printed(names: list[str], rows: list[Row], form: Form) -> str:
    stream = io.StringIO(newline="")
    print_rows(names, rows, form, stream)
    return stream.getvalue()


@given(st.lists(st.tuples(VALUES, VALUES)))
def test_json_and_csv_can_be_read_back(rows: list[Row]) -> None:
    """Any values: whole numbers exactly in both, texts with whatever they contain."""
    names = ["a", "b"]
    expected = [dict(zip(names, map(_plain, row), strict=True)) for row in rows]
    assert expected == json.loads(printed(names, rows, Form.JSON))
    [_, *lines] = csv.reader(io.StringIO(printed(names, rows, Form.CSV), newline=""))
    assert [[text_of(value) for value in row] for row in rows] == lines


def _plain(value: object) -> object:
    return int(value) if isinstance(value, Decimal) else value


@given(st.text())
def test_no_value_moves_the_terminals_cursor(text: str) -> None:
    """In a table every character is one that can be printed."""
    assert printable(text).isprintable()
    assert all(line.isprintable() for line in printed([text], [(text,)], Form.TABLE).split("\n"))


def test_rows_are_printed_as_they_come() -> None:
    """A result without end is printed up to where it breaks off, whatever its size."""

    def endless() -> Iterator[Row]:
        for number in range(MEASURED_ROWS + 10):
            yield (number,)
        raise InterruptedError

    for form in Form:
        stream = io.StringIO()
        with pytest.raises(InterruptedError):
            print_rows(["number"], endless(), form, stream)
        assert str(MEASURED_ROWS + 9) in stream.getvalue()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime(2026, 3, 17, 10, 20, 30, tzinfo=UTC), "2026-03-17T10:20:30Z"),
        (Decimal("1E+3"), "1000"),
        (Decimal("-0.50"), "-0.50"),
        (1e300, "1e+300"),
        (b"\x00\xff", "AP8="),
        ({"a": [1, None]}, '{"a":[1,null]}'),
    ],
)
def test_a_values_text(value: object, text: str) -> None:
    """How each kind of value is written in CSV and tables."""
    assert text == text_of(value)


def test_moments_finer_than_python_knows_are_cut() -> None:
    """Nanoseconds become microseconds instead of an error."""
    batch = pa.table({"at": pa.array([1_001], pa.timestamp("ns", "UTC"))}).to_batches()[0]
    assert [(datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC),)] == list(rows_of([batch]))


@pytest.mark.parametrize(("encoding", "drawn"), [("utf-8", "a ─▶ b"), ("cp1252", "a -> b")])
def test_a_drawing_fits_the_terminal(encoding: str, drawn: str) -> None:
    """Where there are no lines and arrows, plain signs do."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    assert drawn == drawable("a ─▶ b", stream)


def test_null_and_empty_differ_in_csv() -> None:
    """Null is nothing, an empty text is quoted; no row is an empty line, which readers skip."""
    assert printed(["a", "b"], [(None, ""), ("", None)], Form.CSV) == 'a,b\n,""\n"",\n'
    assert printed(["a"], [(None,), ("",)], Form.CSV) == 'a\n""\n""\n'
