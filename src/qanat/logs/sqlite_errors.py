"""SQLite's errors as Qanat's: by what happens next."""

import sqlite3
from pathlib import Path

from qanat.errors import ConfigError, Fatal, QanatError, Retryable, TooLarge

DISK_DELAY_S = 1.0

# The lower eight bits of an error code say its kind, https://www.sqlite.org/rescode.html
_KIND = 0xFF


def translated(error: sqlite3.Error, path: Path) -> QanatError:
    """Return what `error` means to the runtime."""
    code = getattr(error, "sqlite_errorcode", 0)
    kind = code & _KIND
    if kind in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return Retryable(f"{path.name} is busy: another process writes to it")
    if kind == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_WRITE:
        return disk_full(path, str(error))
    if kind in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL}:
        return Retryable(f"{path.name} can't be read or written: {error}", after_s=DISK_DELAY_S)
    if kind == sqlite3.SQLITE_NOTADB:
        return not_a_log(path)
    if kind in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
        return ConfigError(
            "the log", str(path), "a file that can be opened and written", str(error)
        )
    if kind == sqlite3.SQLITE_TOOBIG or isinstance(error, sqlite3.DataError):
        return TooLarge("the batch is too large for one record of the log")
    if kind == sqlite3.SQLITE_CORRUPT:
        hint = "Restore it from a copy, or move it away and begin anew; see the page about topics."
        return Fatal(f"{path} is damaged: {error}", hint=hint)
    return Fatal(f"SQLite refused it: {error}")


def disk_full(path: Path, text: str) -> Retryable:
    """Return the error for a disk without room."""
    return Retryable(
        f"the disk is full, or {path.name} may not grow: {text}",
        after_s=DISK_DELAY_S,
        hint="Nothing was written. Make room; it goes on by itself.",
    )


def not_a_log(path: Path) -> ConfigError:
    """Return the error for a file of something else."""
    return ConfigError("the log", str(path), "a log that Qanat made, or no file yet")
