"""What a user of Polars would write: sum a file of `consumer amount` lines and add the sums to a table, durably.

    python bench/metering_by_polars.py FILE TABLE WAY

The table is a Parquet file, written anew beside the old one, synced, and renamed; for `duckdb` it is a DuckDB database that takes
over the sums by Arrow. The streaming engine sums in all ways.
"""

import sys
from pathlib import Path

import metering_durable as durable
import polars as pl


def add(file: str, table: Path, way: str) -> None:
    """Add the file to the table; on disk on return."""
    lines = pl.scan_csv(
        file,
        separator=" ",
        has_header=False,
        schema={"consumer": pl.Int64, "amount": pl.Int64},
        quote_char=None,
    )
    if way == "at-once":
        _write(_summed(pl.concat([pl.scan_parquet(table), lines])), table)
        return
    sums = _summed(lines).collect(engine="streaming")
    if way == "duckdb":
        durable.hand_over(sums.to_arrow(), table)
    elif way == "join":
        joined = pl.scan_parquet(table).join(sums.lazy(), on="consumer", how="full", coalesce=True)
        amount = pl.col("amount").fill_null(0) + pl.col("amount_right").fill_null(0)
        _write(joined.select("consumer", amount), table)
    else:
        _write(_summed(pl.concat([pl.scan_parquet(table), sums.lazy()])), table)


def _summed(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.group_by("consumer").agg(pl.col("amount").sum())


def _write(rows: pl.LazyFrame, table: Path) -> None:
    new = table.with_suffix(".new")
    # Compressing takes longer than writing what it saves.
    rows.sink_parquet(new, engine="streaming", compression="uncompressed")
    durable.replace(new, table)


if __name__ == "__main__":
    add(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
