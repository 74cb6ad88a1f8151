"""What a user of DataFusion would write: sum a file of `consumer amount` lines and add the sums to a table, durably.

    python bench/metering_by_datafusion.py FILE TABLE WAY

The table is a Parquet file, written anew beside the old one, synced, and renamed; for `duckdb` it is a DuckDB database that takes
over the sums by Arrow.
"""

import sys
from pathlib import Path

import metering_durable as durable
import pyarrow as pa
from datafusion import SessionConfig, SessionContext

SUMS = "select consumer, sum(amount) as amount from lines group by consumer"
WAYS = {
    "union": f"""
        select consumer, sum(amount) as amount
        from (select consumer, amount from totals union all {SUMS})
        group by consumer
    """,
    "at-once": """
        select consumer, sum(amount) as amount
        from (select consumer, amount from totals union all select consumer, amount from lines)
        group by consumer
    """,
    "join": f"""
        select
            coalesce(t.consumer, s.consumer) as consumer,
            coalesce(t.amount, 0) + coalesce(s.amount, 0) as amount
        from totals t full join ({SUMS}) s on t.consumer = s.consumer
    """,
}


def add(file: str, table: Path, way: str) -> None:
    """Add the file to the table; on disk on return."""
    # Compressing takes longer than writing what it saves.
    config = SessionConfig().set("datafusion.execution.parquet.compression", "uncompressed")
    context = SessionContext(config)
    schema = pa.schema([("consumer", pa.int64()), ("amount", pa.int64())])
    context.register_csv(
        "lines", file, schema=schema, has_header=False, delimiter=" ", file_extension=".txt"
    )
    if way == "duckdb":
        durable.hand_over(context.sql(SUMS).to_arrow_table(), table)
    else:
        context.register_parquet("totals", str(table))
        _write(context, WAYS[way], table)


def _write(context: SessionContext, query: str, table: Path) -> None:
    new = table.with_suffix(".new.parquet")
    context.sql(f"copy ({query}) to '{new}' stored as parquet").collect()
    durable.replace(new, table)


if __name__ == "__main__":
    add(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
