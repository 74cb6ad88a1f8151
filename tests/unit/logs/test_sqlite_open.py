"""Opening a log: what may lie under its name, and what happens when that changes."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest

from qanat import wiring
from qanat.clock import SystemClock
from qanat.errors import ConfigError, Fatal, SourceLost
from qanat.interfaces import LogOptions, Span
from qanat.logs.sqlite import SqliteLog, open_log
from qanat.logs.sqlite_schema import SCHEMA_VERSION
from qanat.tables import Column, ColumnType, Topic
from tests.unit.logs.sqlite_kit import EVENTS, ids_of, opened, publish


def options(data_dir: Path, *, read_only: bool = False) -> LogOptions:
    return LogOptions(data_dir, SystemClock(), read_only)


def test_where_it_lies(tmp_path: Path) -> None:
    """Without a name it is the pipeline's, in the data folder, which is made; else the named file."""
    with closing(wiring.open_log("sqlite:", "p", tmp_path / "data", SystemClock())) as log:
        assert isinstance(log, SqliteLog)
        assert tmp_path / "data" / "p.log.sqlite" == log.path
    named = tmp_path / "named"
    with closing(wiring.open_log(f"sqlite:{named}", "p", tmp_path, SystemClock())) as log:
        assert isinstance(log, SqliteLog)
        assert named == log.path


@pytest.mark.parametrize("url", ["kafka:x", "sqlite", ""])
def test_other_url(tmp_path: Path, url: str) -> None:
    """Another scheme is refused, by the wiring as by the log."""
    with pytest.raises(ConfigError, match="sqlite:FILE"):
        wiring.open_log(url, "p", tmp_path, SystemClock())
    with pytest.raises(ConfigError, match="sqlite:FILE"):
        open_log(url, "p", options(tmp_path))


def test_settings_of_the_file(tmp_path: Path) -> None:
    """The write-ahead log is on, every commit is synced, and pages can be given back."""
    with opened(tmp_path) as log, log.file.maintaining() as connection:
        pragmas = ("journal_mode", "synchronous", "auto_vacuum", "page_size")
        found = [connection.execute(f"pragma {name}").fetchone()[0] for name in pragmas]
    assert ["wal", 2, 2, 16384] == found


def test_not_a_database(tmp_path: Path) -> None:
    """A file of something else is refused and left alone."""
    for content in (b"hello", b"x" * 100_000):
        path = tmp_path / "p.log.sqlite"
        path.write_bytes(content)
        for read_only in (True, False):
            with pytest.raises(ConfigError, match="a log that Qanat made"):
                open_log("sqlite:", "p", options(tmp_path, read_only=read_only))
        assert content == path.read_bytes()


def test_another_database(tmp_path: Path) -> None:
    """A database of something else is refused and left alone."""
    path = tmp_path / "p.log.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table theirs (x)")
    with pytest.raises(ConfigError, match="a log that Qanat made"):
        open_log("sqlite:", "p", options(tmp_path))
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute("select name from sqlite_schema").fetchall()
    assert [("theirs",)] == names


def test_not_a_place(tmp_path: Path) -> None:
    """A folder that can't be made is told of."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="where files can be made"):
        open_log("sqlite:", "p", options(tmp_path / "file" / "data"))


def test_newer(tmp_path: Path) -> None:
    """A log that a newer Qanat made is left to it."""
    with opened(tmp_path) as log:
        path = log.path
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"pragma user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(Fatal, match="newer Qanat"), opened(tmp_path):
        pytest.fail("opened")


def test_read_only(tmp_path: Path) -> None:
    """Opened to look only, nothing is made or changed, no group counts, and whatever writes is refused."""
    with pytest.raises(ConfigError, match="qanat run"), opened(tmp_path / "no", read_only=True):
        pytest.fail("opened")
    assert not (tmp_path / "no").exists()
    with opened(tmp_path) as log:
        publish(log, 1, 2)
        with opened(tmp_path, read_only=True) as looking:
            assert {"0": Span(0, 2)} == looking.spans(EVENTS)
            assert [1, 2] == ids_of(looking)
            assert not looking.outcome("stage", uuid4())
            for writes in (
                lambda: looking.create([EVENTS]),
                lambda: looking.claim("stage", ["0"], "me"),
                lambda: looking.trim([EVENTS], SystemClock().now()),
                lambda: looking.forget(EVENTS, "test"),
                lambda: looking.begin("stage", uuid4()).__enter__(),
            ):
                with pytest.raises(ConfigError, match="read_only"):
                    writes()
        with log.file.reading() as connection:
            assert [] == connection.execute("select * from readers").fetchall()


def test_closed(tmp_path: Path) -> None:
    """A log that is closed can't be used by mistake, nor its sources."""
    with opened(tmp_path) as log:
        source = log.source(EVENTS, "readers")
        source.open({"0": None})
    with pytest.raises(Fatal, match="the log is closed"):
        log.spans(EVENTS)
    with pytest.raises(Fatal, match="the log is closed"):
        source.poll(1, 0.0)
    source.close()
    with pytest.raises(Fatal, match="the source is closed"):
        source.poll(1, 0.0)


def test_replaced_while_open(tmp_path: Path) -> None:
    """A log that was made anew under the name of the one that is open is noticed by its readers."""
    with opened(tmp_path / "a") as log, opened(tmp_path / "b") as other:
        publish(log, 1)
        source = log.source(EVENTS, "readers")
        source.open({"0": None})
        before = source.incarnation()
        publish(other, 5, 6)
        other.close()
        for path in log.path.parent.glob("kit.log.sqlite-*"):
            path.unlink()
        other.path.replace(log.path)
        assert before != source.incarnation()
        with pytest.raises(SourceLost, match="isn't the one"):
            source.poll(10, 0.0)
        assert {"0": Span(0, 2)} == log.spans(EVENTS)
        log.path.unlink()
        with pytest.raises(Fatal, match="is gone"):
            log.spans(EVENTS)


def test_older_copy(tmp_path: Path) -> None:
    """A reader that is further than the log, restored from an older copy, is told."""
    with opened(tmp_path) as log:
        publish(log, 1, 2)
        path = log.path
    shutil.copy(path, tmp_path / "copy")
    with opened(tmp_path) as log:
        publish(log, 3)
    shutil.copy(tmp_path / "copy", path)
    with opened(tmp_path) as log:
        source = log.source(EVENTS, "readers")
        source.open({"0": "3"})
        with pytest.raises(SourceLost, match="older copy"):
            source.poll(10, 0.0)


@pytest.mark.parametrize(
    "topic",
    [
        Topic("t", (Column("_offset", ColumnType.INT64),)),
        Topic("t", (Column("id", ColumnType.INT64),), key="key"),
        Topic("t", (Column("id", ColumnType.INT64),), partitions=0),
    ],
    ids=["a reader's column", "no such key", "no partition"],
)
def test_refused_topics(tmp_path: Path, topic: Topic) -> None:
    """What couldn't be read or divided isn't made."""
    with opened(tmp_path) as log:
        with pytest.raises(ConfigError):
            log.create([EVENTS, topic])
        with pytest.raises(ConfigError, match="one of events"):
            log.spans(topic)


def test_damaged(tmp_path: Path) -> None:
    """Records that can't be unpacked end the reader; they aren't passed over."""
    with opened(tmp_path) as log:
        publish(log, 1, 2)
        with log.file.writing() as connection:
            connection.execute("update batches set content = ?", (b"nonsense",))
    with opened(tmp_path) as log:
        with pytest.raises(Fatal, match="damaged at offset 0"):
            ids_of(log)
        with log.file.writing() as connection:
            connection.execute("delete from batches")
        with pytest.raises(Fatal, match="no batch with the offset 0"):
            ids_of(log)


def test_arrow_reads_it(tmp_path: Path) -> None:
    """What is stored is an Arrow stream, which needs nothing of ours to be read."""
    with opened(tmp_path) as log:
        publish(log, 1, 2, body=b"x")
        path = log.path
    with closing(sqlite3.connect(path)) as connection:
        (content,) = connection.execute("select content from batches").fetchone()
    expected = [{"id": 1, "body": b"x"}, {"id": 2, "body": b"x"}]
    assert expected == pa.ipc.open_stream(content).read_all().to_pylist()
