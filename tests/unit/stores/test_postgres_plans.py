"""Many sums are looked up array by array in the index, whatever the server's statistics say."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from qanat.stores.postgres import PostgresStore
from qanat.stores.postgres_connect import Connection, connect
from qanat.stores.postgres_load import temporary
from qanat.stores.postgres_packed import packed_ddl
from qanat.stores.postgres_sums import PackedSums, planned
from tests.unit.stores.postgres_fixtures import opened
from tests.unit.stores.test_postgres_sums import (
    ADD,
    HOUR,
    TOTALS,
    USAGE,
    USE,
    sums_of,
    usage_constants,
    write,
)

pytestmark = pytest.mark.postgres


@pytest.fixture
def store(postgres_url: str, tmp_path: Path) -> Iterator[PostgresStore]:
    """Two hours of usage, of which only the first is known to the statistics."""
    with opened(postgres_url, tmp_path, TOTALS, USAGE) as made:
        write(made, sums_of(range(20_000)))
        with psycopg.connect(made._endpoint.url, autocommit=True) as connection:
            connection.execute(f'analyze "{made._endpoint.schema}".usage'.encode())
        write(made, sums_of(range(20_000)), HOUR + timedelta(hours=1))
        yield made


@pytest.mark.parametrize("table", [TOTALS, USAGE], ids=lambda table: table.name)
@pytest.mark.parametrize("hours", [0, 1, 2], ids=["analysed", "not analysed", "empty"])
def test_one_index_scan_per_array(store: PostgresStore, table: object, hours: int) -> None:
    """The plan begins with the arrays; for each it scans the index of the key by all of the key's columns."""
    connection = connect(store._endpoint.url, store._endpoint.schema)
    try:
        relation = temporary(connection, packed_ddl(["consumer", "amount"]), "test")
        if table is TOTALS:
            sums = PackedSums(TOTALS, ADD, relation, "consumer", ("amount",), 1, {"files": 1})
        else:
            constants = usage_constants(HOUR + timedelta(hours=hours))
            sums = PackedSums(USAGE, USE, relation, "consumer", ("amount",), 1, constants)
        for plan in _plans(connection, sums):
            (condition,) = [line for line in plan if "Index Cond" in line]
            assert "consumer = ANY" in condition
            assert table is TOTALS or "period_start = ANY" in condition
    finally:
        connection.close()


def _plans(connection: Connection, sums: PackedSums) -> list[list[str]]:
    """Explain what adding does: the update, and the question which rows that were."""
    table, source = sums.table.name, sums._source
    update = f"update {table} t set amount = 0 from {source} where {sums.matching}"
    found = []
    for statement in (update, sums._written):
        with connection.transaction(), planned(connection):
            rows = connection.execute(f"explain {statement}".encode(), sums.parameters).fetchall()
        found.append([str(row[0]) for row in rows])
    return found
