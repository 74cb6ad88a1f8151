"""Laws of values: every type comes back exactly, and parameters are bound, never pasted."""

import math
from datetime import UTC, datetime
from uuid import uuid4

import pyarrow as pa
import pytest

from qanat.interfaces import Scalar, Store
from qanat.tables import Append, ColumnType, arrow_schema
from qanat.testing.laws_store import KINDS, StoreLawsBase, committed, rows

VALUES: dict[ColumnType, tuple[object, ...]] = {
    ColumnType.INT64: (0, -1, 2**63 - 1, -(2**63)),
    ColumnType.INT128: (0, 2**64, -(2**64) - 1, 10**38 - 1, 1 - 10**38),
    ColumnType.FLOAT64: (
        0.0,
        -0.0,
        0.1,
        5e-324,
        1.7976931348623157e308,
        math.inf,
        -math.inf,
        math.nan,
    ),
    ColumnType.TEXT: (
        "",
        " ",
        "\\N",
        "NULL",
        "a\tb\r\nc\\d",
        "'\"$x%s",
        "канат 水道 🏜️",
        "e\u0301",
        "x" * 70_000,
    ),
    ColumnType.BYTES: (b"", b"\0", bytes(range(256)), b"\\x00", b"\xff" * 70_000),
    ColumnType.BOOLEAN: (True, False),
    ColumnType.TIMESTAMP: (
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(1583, 1, 1, tzinfo=UTC),
        datetime(2026, 3, 29, 1, 30, 0, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ),
}
"""By type: the ends of its range, and what a text protocol or a time zone would spoil."""

NAMES = tuple(f"a_{kind.value}" for kind in ColumnType)


def _all_kinds() -> pa.Table:
    """Return a row of each type's n-th value, null where there are fewer; the last row is null
    throughout.
    """
    longest = max(len(values) for values in VALUES.values())
    columns = [(*VALUES[kind], *[None] * longest)[: longest + 1] for kind in ColumnType]
    return rows(KINDS, *((number, *row) for number, row in enumerate(zip(*columns, strict=True))))


def _exact(found: pa.Table) -> list[list[str]]:
    """Return each value's representation: tells -0.0 from 0.0, and finds NaN equal to itself."""
    return [[repr(value) for value in column.to_pylist()] for column in found.columns]


class ValueLaws(StoreLawsBase):
    """What is written is what is read, to the last bit."""

    @pytest.mark.parametrize("way", ["write", "merge"])
    @pytest.mark.parametrize("how", ["query", "stream"])
    def test_value_round_trip(self, store: Store, way: str, how: str) -> None:
        """Every type comes back as the Arrow type of its declaration and with exactly its values,
        nulls too.
        """
        given = _all_kinds()
        if way == "write":
            committed(store, lambda tx: tx.write(KINDS, given, Append()))
        else:
            part = store.stage(KINDS, given, uuid4(), 0)
            assert given.num_rows == committed(store, lambda tx: tx.merge(KINDS, [part], Append()))
        every = f"select {', '.join(KINDS.names)} from {KINDS.name} order by number"
        with store.snapshot() as reader:
            found = reader.query(every) if how == "query" else reader.stream(every).read_all()
        assert [(f.name, f.type) for f in arrow_schema(KINDS)] == [
            (f.name, f.type) for f in found.schema
        ]
        assert _exact(given) == _exact(found)

    def test_returned_rows(self, store: Store) -> None:
        """The rows that `write` returns have the types and values that were given."""
        given = _all_kinds()
        found = committed(store, lambda tx: tx.write(KINDS, given, Append())).sort_by("number")
        assert _exact(given) == _exact(found.select(KINDS.names))

    def test_chunks_and_slices(self, store: Store) -> None:
        """A table of several chunks, or cut out of a longer one, is written as what it shows."""
        given = _all_kinds()
        cut = pa.concat_tables([given.slice(2, 3), given.slice(7, 1), given.slice(0, 0)])
        committed(store, lambda tx: tx.write(KINDS, cut, Append()))
        part = store.stage(KINDS, cut, uuid4(), 0)
        committed(store, lambda tx: tx.merge(KINDS, [part], Append()))
        with store.snapshot() as reader:
            found = reader.query(f"select number from {KINDS.name} order by number").column(
                "number"
            )
        assert [2, 2, 3, 3, 4, 4, 7, 7] == found.to_pylist()

    @pytest.mark.parametrize(
        ("kind", "value"), [(kind, value) for kind in ColumnType for value in VALUES[kind]], ids=str
    )
    def test_constant_round_trip(self, store: Store, kind: ColumnType, value: Scalar) -> None:
        """A constant arrives as exactly as a value of a row."""
        given = rows(KINDS, (1,), names=("number",))
        name = f"a_{kind.value}"
        committed(store, lambda tx: tx.write(KINDS, given, Append(), {name: value}))
        with store.snapshot() as reader:
            found = reader.query(f"select {name} from {KINDS.name}")
        assert _exact(rows(KINDS, (value,), names=(name,))) == _exact(found)


class ParameterLaws(StoreLawsBase):
    """Parameters are written `$name` and bound."""

    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            ("bigint", 2**63 - 1),
            ("bigint", None),
            ("double precision", 0.1),
            ("boolean", True),
            ("boolean", False),
            ("varchar", "it's $1 $x %s %(x)s \\ 'quoted'"),
            ("varchar", None),
            ("timestamptz", datetime(2026, 3, 29, 1, 30, 0, 1, tzinfo=UTC)),
        ],
        ids=repr,
    )
    def test_parameter_values(self, store: Store, kind: str, value: Scalar) -> None:
        """Each kind of value arrives as it is, used twice too."""
        asked = f"select cast($x as {kind}) as a, cast($x as {kind}) as b"
        with store.snapshot() as reader:
            found = reader.query(asked, {"x": value})
            streamed = reader.stream(asked, {"x": value}).read_all()
        assert [{"a": value, "b": value}] == found.to_pylist() == streamed.to_pylist()

    def test_parameter_of_bytes(self, store: Store) -> None:
        """Bytes are compared as bytes."""
        given = rows(KINDS, (1, b"\0\xff"), (2, b""), names=("number", "a_bytes"))
        committed(store, lambda tx: tx.write(KINDS, given, Append()))
        asked = f"select number from {KINDS.name} where a_bytes = $raw"
        with store.snapshot() as reader:
            assert [1] == reader.query(asked, {"raw": b"\0\xff"}).column("number").to_pylist()

    def test_only_parameters_are_replaced(self, store: Store) -> None:
        """Dollar and per cent signs in literals, comments, names, operators stay what they are."""
        asked = """
            -- $name and 100 % of 'it
            select '$name' as a, $name as b, 'it''s $name' as c, 17 % 5 as d, $name_2 as "$name",
                '%s %(name)s %%' as f /* $name */
            where 'abc' like '%b%'
        """
        with store.snapshot() as reader:
            found = reader.query(asked, {"name": "x", "name_2": "y"})
        assert [
            {"a": "$name", "b": "x", "c": "it's $name", "d": 2, "$name": "y", "f": "%s %(name)s %%"}
        ] == found.to_pylist()

    def test_parameters_inside_a_transaction(self, store: Store) -> None:
        """`query` and `execute` of a transaction bind the same way."""
        insert = f"""
            insert into {KINDS.name} (number, a_text, a_bytes, a_timestamp)
            values ($number, $text, $raw, $at)
        """
        values: dict[str, Scalar] = {
            "number": 1,
            "text": "50 % of $number",
            "raw": b"\0'\\",
            "at": datetime(1969, 7, 20, 20, 17, 40, tzinfo=UTC),
        }
        assert 1 == committed(store, lambda tx: tx.execute(insert, values))
        asked = f"""
            select number, a_text as "text", a_bytes as raw, a_timestamp as "at"
            from {KINDS.name}
            where number = $number
        """
        assert [values] == committed(store, lambda tx: tx.query(asked, {"number": 1})).to_pylist()
