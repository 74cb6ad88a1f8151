"""The two engines, each started once."""

import os
from collections.abc import Iterator, Mapping

import pyarrow as pa
import pytest

from qanat.engines.duckdb import DuckdbEngine
from qanat.engines.spark import SparkEngine
from qanat.errors import Fatal, MissingExtra
from qanat.interfaces import Scalar, Statement
from tests.parity.rows import differences


class Engines:
    """Both engines, and the comparison of what they return."""

    def __init__(self, duckdb: DuckdbEngine, spark: SparkEngine) -> None:
        self.duckdb = duckdb
        self.spark = spark

    def agree(
        self,
        statement: Statement,
        relations: Mapping[str, pa.Table],
        parameters: Mapping[str, Scalar] | None = None,
        *,
        ordered: bool = False,
    ) -> pa.Table:
        """Run a statement on both, and return the rows, which are the same on both."""
        ours = self.duckdb.run(statement, relations, parameters)
        theirs = self.spark.run(statement, relations, parameters)
        found = list(differences(ours, theirs, ordered=ordered))
        assert not found, "\n".join(("DuckDB and Spark differ:", *found[:10]))
        return ours


# Statements run once here: compiling them well, and collecting with several threads, would take twice the time.
_JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


@pytest.fixture(scope="session")
def engines() -> Iterator[Engines]:
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("JDK_JAVA_OPTIONS", _JAVA_OPTIONS)
            spark = SparkEngine()
    except (MissingExtra, Fatal) as error:
        if os.environ.get("QANAT_REQUIRE_SERVICES", "") not in {"", "0"}:
            raise
        pytest.skip(f"no Spark: {error}")
    with spark, DuckdbEngine() as duckdb:
        yield Engines(duckdb, spark)
