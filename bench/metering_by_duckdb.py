"""What a user of DuckDB would write: sum a file of `consumer amount` lines and add the sums to a table, durably.

    python bench/metering_by_duckdb.py FILE DATABASE WAY

The database has `totals(consumer bigint, amount bigint)`, for `upsert` with a primary key. A line is two integers and a space:
types and delimiter are given and quotes turned off, so that the file is read in parallel and nothing is sniffed.
"""

import sys

import duckdb

CSV = """
    read_csv(
        $file, columns = {'consumer': 'BIGINT', 'amount': 'BIGINT'}, auto_detect = false,
        header = false, delim = ' ', quote = '', escape = '', new_line = '\\n', parallel = true
    )
"""
SUMS = f"(select consumer, sum(amount)::bigint as amount from {CSV} group by consumer)"

WAYS: dict[str, tuple[str, ...]] = {
    "upsert": (
        f"""
        insert into totals
        select * from {SUMS}
        on conflict (consumer) do update set amount = totals.amount + excluded.amount
        """,
    ),
    "merge": (
        f"""
        merge into totals t using {SUMS} s on t.consumer = s.consumer
        when matched then update set amount = t.amount + s.amount
        when not matched then insert values (s.consumer, s.amount)
        """,
    ),
    "update": (
        "begin",
        f"create temp table s as from {SUMS}",
        "update totals t set amount = t.amount + s.amount from s where t.consumer = s.consumer",
        "insert into totals from s where not exists (from totals t where t.consumer = s.consumer)",
        "commit",
    ),
    "join": (
        f"""
        create or replace table totals as
        select
            coalesce(t.consumer, s.consumer) as consumer,
            coalesce(t.amount, 0) + coalesce(s.amount, 0) as amount
        from totals t full join {SUMS} s on t.consumer = s.consumer
        """,
    ),
    "union": (
        f"""
        create or replace table totals as
        select consumer, sum(amount)::bigint as amount
        from (from totals union all from {SUMS})
        group by consumer
        """,
    ),
    "at-once": (
        f"""
        create or replace table totals as
        select consumer, sum(amount)::bigint as amount
        from (from totals union all from {CSV})
        group by consumer
        """,
    ),
}


def add(file: str, database: str, way: str) -> None:
    """Add the file to the database; committed, checkpointed and closed on return."""
    with duckdb.connect(database) as connection:
        for statement in WAYS[way]:
            connection.execute(statement, {"file": file} if "$file" in statement else None)


if __name__ == "__main__":
    add(*sys.argv[1:])
