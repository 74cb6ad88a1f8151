"""What logs do alike: rows as declared, partitions of keys."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from qanat.errors import ConfigError, SourceLost
from qanat.tables import Column, ColumnType, Topic
from qanat.topics import conformed, divided, offset_of, partition_of, with_offsets

EVENTS = Topic(
    "events",
    (
        Column("id", ColumnType.INT64),
        Column("text", ColumnType.TEXT, nullable=True),
        Column("raw", ColumnType.BYTES, nullable=True),
        Column("at", ColumnType.TIMESTAMP, nullable=True),
    ),
)


def test_layouts_are_taken_over() -> None:
    """The same values in another layout become the declared type; what isn't given is null; order is the topic's."""
    rows = pa.table(
        {
            "text": pa.array(["a"], pa.large_string()).dictionary_encode(),
            "raw": pa.array([b"b"], pa.large_binary()),
            "at": pa.array([0], pa.timestamp("us", "Etc/UTC")),
            "id": [1],
        }
    )
    found = conformed(EVENTS, rows)
    moment = datetime(1970, 1, 1, tzinfo=UTC)
    assert [{"id": 1, "text": "a", "raw": b"b", "at": moment}] == found.to_pylist()
    kinds = [pa.int64(), pa.string(), pa.binary(), pa.timestamp("us", "UTC")]
    assert kinds == found.schema.types
    assert [None] == conformed(EVENTS, rows.select(["id"])).column("text").to_pylist()


@pytest.mark.parametrize(
    "column",
    [
        {"at": pa.array([0], pa.timestamp("us"))},
        {"at": pa.array([0], pa.timestamp("ms", "UTC"))},
        {"text": pa.array([b"a"], pa.binary())},
    ],
    ids=["without a zone", "another unit", "bytes for a text"],
)
def test_other_values_are_refused(column: dict[str, pa.Array]) -> None:
    """What would have to be interpreted is the publisher's to convert."""
    with pytest.raises(ConfigError):
        conformed(EVENTS, pa.table({"id": [1], **column}))


def test_partitions_of_keys_stay() -> None:
    """A key's partition is the same for ever: these are written down."""
    found = [partition_of(key, 16) for key in ("enwiki", b"enwiki", 7, None, "", "ключ")]
    assert [15, 15, 10, 2, 2, 14] == found


def test_division_keeps_order() -> None:
    """Each part has its rows in the order in which they came; together they are all of them."""
    topic = Topic("t", (Column("key", ColumnType.INT64), Column("n", ColumnType.INT64)), key="key")
    rows = pa.table({"key": [n % 7 for n in range(100)], "n": list(range(100))})
    parts = dict(divided(topic, rows, 4, 0))
    for number, part in parts.items():
        assert part.column("n").to_pylist() == sorted(part.column("n").to_pylist())
        assert {number} == {partition_of(key, 4) for key in part.column("key").to_pylist()}
    assert 100 == sum(part.num_rows for part in parts.values())
    assert [] == list(divided(topic, rows.slice(0, 0), 4, 0))


def test_offsets() -> None:
    """Readers get partition and offset behind the topic's columns; a position is digits, nothing else."""
    found = with_offsets(pa.table({"id": [5, 6]}), "3", 40)
    assert [
        {"id": 5, "_partition": "3", "_offset": 40},
        {"id": 6, "_partition": "3", "_offset": 41},
    ] == found.to_pylist()
    assert 40 == offset_of("3", "40")
    for wrong in ("", "-1", "1.5", "²", "x"):
        with pytest.raises(SourceLost, match="isn't an offset"):
            offset_of("3", wrong)
