"""DuckDB's errors as Qanat's: by what happens next."""

import duckdb

from qanat.errors import ConfigError, Fatal, QanatError, Retryable, TooLarge

# What a statement can be blamed for, when somebody else than Qanat wrote it.
_STATEMENT = (
    duckdb.ProgrammingError,
    duckdb.DataError,
    duckdb.NotSupportedError,
    duckdb.PermissionException,
    duckdb.InvalidInputException,
    duckdb.NotImplementedException,
    duckdb.DependencyException,
)
_TEXT_LENGTH_MAX = 200
_DISK_FULL = ("No space left on device", "not enough space", "disk is full", "max_temp_directory")
DISK_DELAY_S = 1.0


class Invalidated(Retryable):
    """DuckDB gave the database up after a failed write; it has to be opened again."""


def translated(error: duckdb.Error, sql: str | None = None) -> QanatError:
    """Return what `error` means to the runtime.

    Args:
        error: What DuckDB raised.
        sql: The statement, when a user or a pipeline wrote it; None for Qanat's own.
    """
    text = str(error)
    if isinstance(error, duckdb.FatalException | duckdb.InternalException):
        return Invalidated(f"DuckDB gave up its database: {text}", after_s=DISK_DELAY_S)
    if any(sign in text for sign in _DISK_FULL):
        return disk_full(text)
    if isinstance(error, duckdb.OutOfMemoryException):
        hint = "Give the store more memory, or make the batch smaller."
        return TooLarge(f"it doesn't fit into DuckDB's memory: {text.splitlines()[0]}", hint=hint)
    if isinstance(error, duckdb.TransactionException) and "read-only" not in text:
        return Retryable(f"DuckDB rolled it back: {text}")
    if isinstance(error, duckdb.IOException | duckdb.ConnectionException):
        return Retryable(f"DuckDB can't read or write: {text}", after_s=DISK_DELAY_S)
    if isinstance(error, duckdb.InterruptException):
        return Retryable("the statement took too long, and was ended")
    if sql is not None and isinstance(error, (*_STATEMENT, duckdb.TransactionException)):
        return refused(sql, text)
    return Fatal(f"DuckDB refused it: {text}")


def disk_full(text: str) -> Retryable:
    """Return the error for a disk without room."""
    return Retryable(
        f"the disk is full: {text.splitlines()[0]}",
        after_s=DISK_DELAY_S,
        hint="Nothing was written. Make room; it goes on by itself.",
    )


def refused(sql: str, reason: str) -> ConfigError:
    """Return the error for a statement that can't be run."""
    short = " ".join(sql.split())
    if len(short) > _TEXT_LENGTH_MAX:
        short = f"{short[:_TEXT_LENGTH_MAX]}…"
    return ConfigError("the statement", short, "SQL that DuckDB can run here", hint=reason)
