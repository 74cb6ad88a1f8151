"""SQL by Spark: a session on this machine, or on a cluster; in UTC, with Arrow in and out.

Needs the extra `spark`, and Java 17 or later.
"""

import tempfile
from collections.abc import Mapping, Sequence
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Self

import pyarrow as pa

from qanat.engines.results import conformed, empty_relations
from qanat.errors import Fatal, MissingExtra
from qanat.interfaces import Scalar, Statement
from qanat.tables import Column

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NAME = "spark"
MASTER = "local[1]"

# What the texts for Spark are written for: they were compared under exactly these.
MEANING = {
    "spark.sql.ansi.enabled": "true",  # an integer that doesn't fit is an error, not another one
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.variable.substitute": "false",  # `${…}` in a text stays what it is
    "spark.sql.parser.escapedStringLiterals": "false",
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
    "spark.sql.caseSensitive": "false",
}
# A task of a small statement takes milliseconds; Spark's own 200 partitions would take seconds.
_LOCAL = {
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.adaptive.enabled": "false",  # planning anew after each step pays for large data alone
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
}


class SparkEngine:
    """A Spark session. Starting one takes about ten seconds, so it is shared by all engines of the process; closing one stops it
    with the last of them.
    """

    _open = 0
    _lock = Lock()

    def __init__(self, master: str = MASTER) -> None:
        """Start the session, or join the one that runs.

        Args:
            master: As Spark names it: `local[2]`, `spark://…`.

        Raises:
            MissingExtra: pyspark isn't installed.
            Fatal: It doesn't start; most often there is no Java.
        """
        with SparkEngine._lock:
            self._session = _started(master)
            SparkEngine._open += 1
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def check(
        self, statement: Statement, inputs: Mapping[str, Sequence[Column]]
    ) -> Sequence[Column]:
        from pyspark.errors import PySparkException

        try:
            self._bind(empty_relations(inputs))
            self._session.sql(f"explain {statement.text_for(NAME)}").collect()
        except PySparkException as error:
            raise _translated(error) from error
        return statement.columns

    def run(
        self,
        statement: Statement,
        relations: Mapping[str, pa.Table],
        parameters: Mapping[str, Scalar] | None = None,
    ) -> pa.Table:
        from pyspark.errors import PySparkException

        text = statement.text_for(NAME)
        try:
            self._bind(relations)
            bound = {name: (parameters or {})[name] for name in statement.parameters}
            rows = self._session.sql(text, args=bound).toArrow()
        except PySparkException as error:
            raise _translated(error) from error
        finally:
            for name in relations:
                self._session.catalog.dropTempView(name)
        return conformed(rows, statement.columns, "Spark")

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        with SparkEngine._lock:
            SparkEngine._open -= 1
            if SparkEngine._open == 0:
                self._session.stop()

    def _bind(self, relations: Mapping[str, pa.Table]) -> None:
        for name, table in relations.items():
            self._session.createDataFrame(table).createOrReplaceTempView(name)


def _started(master: str) -> "SparkSession":
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise MissingExtra(error.name or "pyspark", "spark") from error
    builder = SparkSession.builder.master(master).appName("qanat")
    local = _LOCAL if master.startswith("local") else {}
    warehouse = {"spark.sql.warehouse.dir": tempfile.gettempdir()}
    for name, value in {**MEANING, **local, **warehouse}.items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
    except (PySparkException, OSError, RuntimeError) as error:
        raise Fatal(f"Spark doesn't start: {error}", hint="It needs Java 17 or later.") from error
    return session


def _translated(error: Exception) -> Fatal:
    return Fatal(f"Spark can't run the statement: {error}")
