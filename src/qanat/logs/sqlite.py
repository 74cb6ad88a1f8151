"""The embedded log: topics in one SQLite file, which several processes may share.

A commit is one transaction of SQLite, synced before it returns (write-ahead log, synchronous FULL). Records are kept as they
were published, a compressed Arrow stream per batch and partition.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from qanat.errors import ConfigError, Fatal, QanatError
from qanat.interfaces import Capabilities, Change, LogOptions, Span, Trimmed
from qanat.logs import sqlite_schema, sqlite_topics, sqlite_trim
from qanat.logs.sqlite_claims import Claims, lock_at
from qanat.logs.sqlite_errors import not_a_log, translated
from qanat.logs.sqlite_file import LogFile, connect
from qanat.logs.sqlite_process import Shared, folder_of, joined
from qanat.logs.sqlite_readers import Readers
from qanat.logs.sqlite_source import SqliteSource
from qanat.logs.sqlite_transaction import UNMOVED, SqliteTransaction, microseconds, progress
from qanat.records import Partition, Progress
from qanat.tables import Topic

_SCHEME: Final = "sqlite:"
# Making a log takes a few syncs; who waits longer waits for something that hangs.
_MAKING_S_MAX: Final = 30.0


def open_log(url: str, pipeline: str, options: LogOptions) -> "SqliteLog":
    """Open a log, and make it if need be.

    Args:
        url: `sqlite:` for PIPELINE.log.sqlite in the data folder, or `sqlite:FILE`.
        pipeline: Each pipeline has a log of its own.
        options: Opened to look only, nothing is made.

    Raises:
        ConfigError: The URL has another scheme, the file is something else, or it isn't there and is to be looked at only.
        Fatal: A newer Qanat made it.
    """
    if not url.startswith(_SCHEME):
        raise ConfigError("log", url, "sqlite: or sqlite:FILE")
    name = url.removeprefix(_SCHEME)
    path = Path(name) if name else options.data_dir / f"{pipeline}.log.sqlite"
    return SqliteLog(path, options)


class SqliteLog:
    """A `Log` in a file. See `open_log`.

    Attributes:
        path: The file.
        file: Its connections.
        identity: A UUID made with it.
    """

    capabilities = Capabilities(transactional=True, shared=True)

    def __init__(self, path: Path, options: LogOptions) -> None:
        # Whatever name or link it is opened by, processes have to meet in one folder.
        self.path = path.resolve()
        self._options = options
        _prepare(self.path, options)
        self._shared: Shared = joined(self.path)
        self.file = LogFile(self.path, self._shared, read_only=options.read_only)
        self._claims = Claims(self._shared.folder)
        self._readers = Readers(self.file, options.clock)
        try:
            with self.file.reading() as connection:
                self.identity = sqlite_topics.identity(connection)
        except QanatError:
            self.close()
            raise

    def create(self, topics: Sequence[Topic]) -> Sequence[Change]:
        self._check_writable()
        with self.file.writing() as connection:
            return sqlite_topics.create(connection, topics)

    def source(self, topic: Topic, group: str) -> SqliteSource:
        if not self._options.read_only:
            self._shared.listen()
        return SqliteSource(
            self.file, self._shared, self._readers, self._options.clock, topic, group
        )

    def claim(
        self, stage: str, partitions: Sequence[Partition], owner: str
    ) -> Mapping[Partition, Progress]:
        self._check_writable()
        ours = self._claims.take(stage, partitions, owner)
        with self.file.reading() as connection:
            stored = progress(connection, stage)
        return {name: stored.get(name, UNMOVED) for name in ours}

    def release(self, stage: str, partitions: Sequence[Partition], owner: str) -> None:
        self._claims.release(stage, partitions, owner)

    @contextmanager
    def begin(self, stage: str, commit_id: UUID) -> Iterator[SqliteTransaction]:
        self._check_writable()
        transaction = SqliteTransaction(
            self.file, self._shared, self._options.clock, stage, commit_id
        )
        try:
            yield transaction
        finally:
            transaction.leave()

    def outcome(self, stage: str, commit_id: UUID) -> bool:
        asked = "select 1 from commits where commit_id = ? and stage = ?"
        with self.file.reading() as connection:
            if connection.execute(asked, (commit_id.bytes, stage)).fetchone():
                return True
        if self._options.read_only:
            return False
        # It may be committing at this moment: after whoever writes now the answer is final.
        with self.file.writing() as connection:
            return connection.execute(asked, (commit_id.bytes, stage)).fetchone() is not None

    def spans(self, topic: Topic) -> Mapping[Partition, Span]:
        with self.file.reading() as connection:
            kept = sqlite_topics.get(connection, topic.name)
            return {each.name: each.span for each in sqlite_topics.partitions(connection, kept.id)}

    def size_bytes(self, topic: Topic) -> int:
        with self.file.reading() as connection:
            kept = sqlite_topics.get(connection, topic.name)
            return sum(each.bytes for each in sqlite_topics.partitions(connection, kept.id))

    def trim(self, topics: Sequence[Topic], now: datetime) -> Sequence[Trimmed]:
        self._check_writable()
        self._readers.write()
        found = [one for topic in topics for one in sqlite_trim.trim(self.file, topic, now)]
        sqlite_trim.give_back(self.file)
        return found

    def forget(self, topic: Topic, group: str) -> None:
        self._check_writable()
        with self.file.reading() as connection:
            kept = sqlite_topics.get(connection, topic.name)
            partitions = sqlite_topics.partitions(connection, kept.id)
        self._readers.drop(group, partitions)

    def close(self) -> None:
        if self.file.closed:
            return
        if not self._options.read_only:
            self._readers.write_if_possible()
        self._claims.close()
        self.file.close()
        self._shared.bell.ring()
        self._shared.leave()

    def _check_writable(self) -> None:
        if self._options.read_only:
            raise ConfigError("read_only", True, "False to write", "Open the log without it.")


def _prepare(path: Path, options: LogOptions) -> None:
    """See that the file is a log; make it if it isn't there.

    Several processes may come at the same moment: one makes it, the others wait.
    """
    if options.read_only:
        if not path.is_file():
            raise ConfigError("the log", str(path), "a file; `qanat run` makes it")
        if not _is_made(path, read_only=True):
            raise not_a_log(path)
        return
    folder = folder_of(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            "the log", str(path), "in a folder where files can be made", str(error)
        ) from error
    if path.is_file() and _is_made(path, read_only=False):
        return
    lock = lock_at(folder / "making.lock", _MAKING_S_MAX)
    if lock is None:
        raise Fatal(f"another process has been making {path} for {_MAKING_S_MAX:.0f} s")
    try:
        path.touch()
        if not _is_made(path, read_only=False):
            _make(path, options)
    finally:
        lock.release()


def _is_made(path: Path, *, read_only: bool) -> bool:
    import sqlite3

    connection = connect(path, read_only=read_only)
    try:
        return sqlite_schema.is_made(connection, path)
    except sqlite3.Error as error:
        raise translated(error, path) from error
    finally:
        connection.close()


def _make(path: Path, options: LogOptions) -> None:
    import sqlite3

    connection = connect(path, read_only=False)
    try:
        sqlite_schema.make(connection, microseconds(options.clock.now()))
    except sqlite3.Error as error:
        raise translated(error, path) from error
    finally:
        connection.close()
