"""Dead letters of streams: records that a transform rejected, with where they came from."""

from datetime import datetime
from typing import TYPE_CHECKING

from qanat.tables import DEAD_LETTERS, Topic, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

# A record of a stream is replayed out of its letter, so that most have to fit: EventStreams' largest are some 100 kB.
RAW_BYTES_MAX = 256 << 10

LETTER_TOPIC = Topic(
    name="dead-letters",
    columns=DEAD_LETTERS.columns,
    about="records that a stage before the tables rejected, on their way to the store",
)


def letters(
    stage: str, origin: str, rows: "pa.Table", rejected: "pa.Table", at: datetime
) -> "pa.Table":
    """Return rows of `DEAD_LETTERS`.

    Args:
        stage: Which stage rejected them.
        origin: What it reads.
        rows: The batch; with the columns `_partition` and `_offset` where it comes from a topic.
        rejected: `row` (int64), `reason` (text), `raw` (binary); see `qanat.records.Transformed`.
        at: When the batch is judged.
    """
    import pyarrow as pa
    from xxhash import xxh3_64_hexdigest

    named = "_offset" in rows.column_names
    if named:
        places = rows.select(["_partition", "_offset"]).take(rejected.column("row"))
        partitions, offsets = (column.to_pylist() for column in places.columns)
    else:
        partitions, offsets = [""] * rejected.num_rows, [None] * rejected.num_rows
    found = []
    for reason, raw, partition, offset in zip(
        rejected.column("reason").to_pylist(),
        rejected.column("raw").to_pylist(),
        partitions,
        offsets,
        strict=True,
    ):
        found.append(
            {
                "id": f"{stage}:{origin}/{partition}:{offset}"
                if named
                else f"{stage}:{origin}:{xxh3_64_hexdigest(raw)}",
                "stage": stage,
                "origin": f"{origin}/{partition}" if named else origin,
                "origin_id": None,
                "line": offset,
                "byte_offset": None,
                "reason": reason,
                "length": len(raw),
                "raw": raw[:RAW_BYTES_MAX],
                "rejected_at": at,
                "state": "open",
            }
        )
    return pa.Table.from_pylist(found, schema=arrow_schema(DEAD_LETTERS))
