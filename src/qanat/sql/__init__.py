"""SQL that means the same on every engine.

A statement is written once, in DuckDB's dialect. It is checked against what is declared before anything runs; what isn't
known to be equal on DuckDB and Spark is refused, with the alternative. Each accepted construct has its text per engine.
"""

from qanat.sql.checking import CheckedSql, check
from qanat.sql.errors import SqlError
from qanat.sql.text import ENGINES, SqlText, load_sql

__all__ = ["ENGINES", "CheckedSql", "SqlError", "SqlText", "check", "load_sql"]
