"""The one DuckDB database of a store: opened by one process, reopened when DuckDB gives it up."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from qanat.errors import ConfigError, Fatal
from qanat.interfaces import Scalar, StoreOptions
from qanat.stores.duckdb_busy import busy, is_busy
from qanat.stores.duckdb_errors import Invalidated, translated
from qanat.stores.duckdb_writer import Writer

MIN_VERSION = (2, 0)

# Below it DuckDB can't hold the row groups that it writes with two threads.
MEMORY_MIN_BYTES = 64 * 2**20
# Blocks of dropped rows are free for new ones only after a checkpoint, and a merge that writes straight to the file leaves too
# little log for DuckDB to make one by itself: without our own the file grew by every rebuild.
CHECKPOINT_ROWS = 1_000_000

# DuckDB makes a checkpoint by itself when its log has so much. With its own 16 MB a stream made one every other batch, and each
# wrote the last row group anew: a quarter of the processor time of all its tables. Replaying 64 MB takes half a second.
CHECKPOINT_LOG = "64MiB"

# So many values of a join's smaller side are looked for by an index of the other: a page of an answer (1,000 rows at most) by
# the index of the table it is cut from. With DuckDB's own 50 it reads the whole table.
INDEX_VALUES_MAX = 2_048

_TEMP_FILES = "duckdb_temp_*"
_open_here: set[Path] = set()
_open_lock = threading.Lock()


class Database:
    """Connections to one file. Any thread may ask for one; each is used by one thread at a time."""

    def __init__(self, path: Path, options: StoreOptions) -> None:
        """Open the file.

        Raises:
            Busy: Another process, or another store of this one, has it open. Nothing was changed.
            ConfigError: There is no such file and it is opened to be read, or it isn't DuckDB's.
        """
        self.path = path
        self._options = options
        self._lock = threading.RLock()
        self._tidying = threading.Lock()
        self._broken = False
        self._closed = False
        self._stale_rows = 0
        self._kept: Writer | None = None
        _check_settings(path, options)
        self._key = path.resolve()
        if not options.read_only:
            path.parent.mkdir(parents=True, exist_ok=True)
            with _open_lock:
                if self._key in _open_here:
                    raise busy(path, options.data_dir, "this process has it open already")
                _open_here.add(self._key)
        try:
            self._root = self._connect()
        except BaseException:
            self._forget()
            raise
        if not options.read_only:
            self._clear_temporary()

    @property
    def read_only(self) -> bool:
        """Whether it was opened to be read only."""
        return self._options.read_only

    @property
    def memory_bytes(self) -> int:
        """What DuckDB may use; 0 for its own default."""
        return self._options.memory_bytes

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a connection of its own; close it."""
        with self._lock:
            if self._closed:
                raise Fatal("the store is closed")
            if self._broken:
                self._root.close()  # and with it every connection that is left
                self._root = self._connect()
                self._broken = False
            return self._root.cursor()

    @contextmanager
    def errors(self, sql: str | None = None) -> Iterator[None]:
        """Turn DuckDB's errors into Qanat's; see `translated`. Notices that DuckDB gave up."""
        try:
            yield
        except duckdb.Error as error:
            mapped = translated(error, sql)
            if isinstance(mapped, Invalidated):
                with self._lock:
                    self._broken, self._kept = True, None
            raise mapped from error

    @contextmanager
    def transaction(self, *, writes: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a connection in a transaction, which sees the present moment; roll back at the end."""
        connection = self.cursor()
        try:
            with self.errors():
                begin = "begin transaction" if writes else "begin transaction read only"
                connection.execute(begin)
            yield connection
        finally:
            connection.close()  # rolls back what isn't committed

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """Begin a transaction that writes, on the connection of the one before where that was given back by `keep`.

        One thread at a time may be in it. What isn't given back is closed, which rolls back.
        """
        with self._lock:
            writer, self._kept = None if self._broken else self._kept, None
        writer = writer or Writer(self.cursor())
        try:
            with self.errors():
                writer.connection.execute("begin transaction")
            yield writer
        finally:
            if self._kept is not writer:
                writer.connection.close()

    def keep(self, writer: Writer) -> None:
        """Take back a writer whose transaction is committed; the next one goes through it."""
        with self._lock:
            if not self._closed and not self._broken:
                self._kept = writer

    def run(self, work: Callable[[duckdb.DuckDBPyConnection], None]) -> None:
        """Do `work` in a transaction of its own and commit it."""
        with self.transaction(writes=True) as connection, self.errors():
            work(connection)
            connection.execute("commit")

    def ask(
        self, sql: str, parameters: Mapping[str, Scalar | Sequence[str]] | None = None
    ) -> list[tuple[object, ...]]:
        """Return the rows of a query on what is committed now. No timestamps: those need pytz."""
        connection = self.cursor()
        try:
            with self.errors():
                return connection.execute(sql, dict(parameters or {})).fetchall()
        finally:
            connection.close()

    def dropped(self, rows: int) -> None:
        """Note that a commit made so many rows stale; `tidy` frees their blocks."""
        with self._lock:
            self._stale_rows += rows

    def tidy(self) -> None:
        """Make a checkpoint if enough rows are stale and no transaction is in its way; never wait for one."""
        if self._stale_rows < CHECKPOINT_ROWS or self._closed or not self._tidying.acquire(False):
            return
        try:
            with self._lock:
                rows = self._stale_rows
            self.cursor().execute("checkpoint").close()
            with self._lock:
                self._stale_rows -= rows
        except duckdb.TransactionException:
            return  # somebody reads or stages: the next one who ends tries again
        except duckdb.Error as error:
            # What was committed is safe in the log. A full disk shows again at the next commit, to somebody who can do the
            # batch again.
            self._broken |= isinstance(translated(error), Invalidated)
        finally:
            self._tidying.release()

    def close(self) -> None:
        """Close all connections; closing twice is harmless."""
        with self._lock:
            if self._closed:
                return
            self._closed, self._kept = True, None
            with self.errors():
                self._root.close()
            if not self.read_only:
                self._clear_temporary()
            self._forget()

    def _forget(self) -> None:
        with _open_lock:
            if not self.read_only:
                _open_here.discard(self._key)

    def _connect(self) -> duckdb.DuckDBPyConnection:
        try:
            root = duckdb.connect(self.path, read_only=self.read_only, config=self._settings())
        except (duckdb.IOException, duckdb.ConnectionException) as error:
            if is_busy(str(error)):
                raise busy(self.path, self._options.data_dir, str(error)) from error
            valid = "a DuckDB database, or a new file in a folder that can be written"
            raise ConfigError("the store", str(self.path), valid, hint=str(error)) from error
        # A second reader of this process shares the settings of the first, which are locked already.
        if root.execute("select not current_setting('lock_configuration')").fetchall()[0][0]:
            root.execute("set global TimeZone = 'UTC'")
            # From here on nobody's SQL reads or writes files (but the temporary ones), or changes a setting.
            root.execute("set global enable_external_access = false")
            root.execute("set global lock_configuration = true")
        return root

    def _settings(self) -> dict[str, str | bool | int | float | list[str]]:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "threads": self._options.threads,
            "checkpoint_threshold": CHECKPOINT_LOG,
            "dynamic_or_filter_threshold": INDEX_VALUES_MAX,
            "temp_directory": str(self._temporary),
            "autoload_known_extensions": False,
            "autoinstall_known_extensions": False,
            # A table name in SQL never means a Python variable.
            "python_enable_replacements": False,
            # A snapshot is the moment of its BEGIN, not of its first query.
            "immediate_transaction_mode": True,
            # A snapshot outlives a statement with a slip of the pen.
            "default_transaction_invalidation_policy": "SYNTACTIC_ERRORS_DO_NOT_INVALIDATE",
        }
        if self._options.memory_bytes:
            settings["memory_limit"] = f"{self._options.memory_bytes}B"
        return settings

    @property
    def _temporary(self) -> Path:
        return self.path.with_name(f"{self.path.name}.tmp")

    def _clear_temporary(self) -> None:
        """Remove what a killed process spilled; only who holds the database calls it."""
        if self._temporary.is_dir():
            for file in self._temporary.glob(_TEMP_FILES):
                file.unlink(missing_ok=True)
            if not any(self._temporary.iterdir()):
                self._temporary.rmdir()


def _check_settings(path: Path, options: StoreOptions) -> None:
    version = tuple(int(part) for part in duckdb.__version__.split(".")[:2])
    if version < MIN_VERSION:
        valid = "2.0 or later"
        raise ConfigError("DuckDB's version", duckdb.__version__, valid, "pip install -U duckdb")
    if options.memory_bytes and options.memory_bytes < MEMORY_MIN_BYTES:
        valid = f"at least {MEMORY_MIN_BYTES} bytes, or 0 for DuckDB's own default"
        raise ConfigError("the store's memory", options.memory_bytes, valid)
    if options.read_only and not path.is_file():
        hint = "Nothing has run with this store yet, or it is somewhere else."
        raise ConfigError("the store", str(path), "an existing DuckDB file", hint=hint)
