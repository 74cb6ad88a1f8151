"""Opening a DuckDB store: who holds it, what is refused, and that nothing is changed then."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from qanat.clock import SystemClock
from qanat.errors import Busy, ConfigError, Fatal
from qanat.interfaces import StoreOptions
from qanat.stores.duckdb import DuckdbStore, open_store
from qanat.tables import Column, ColumnType, Table

EVENTS = Table("events", (Column("id", ColumnType.INT64),))

_HOLD = """
import sys
from pathlib import Path
from qanat.clock import SystemClock
from qanat.interfaces import StoreOptions
from qanat.stores.duckdb import open_store
store = open_store("duckdb:", "p", StoreOptions(Path(sys.argv[1]), SystemClock()))
print("open", flush=True)
sys.stdin.readline()
store.close()
"""


def opened(data_dir: Path, url: str = "duckdb:", *, read_only: bool = False) -> DuckdbStore:
    return open_store(url, "p", StoreOptions(data_dir, SystemClock(), read_only=read_only))


@contextmanager
def held_elsewhere(data_dir: Path) -> Iterator[int]:
    """Let another process hold the store; give its number."""
    command = [sys.executable, "-c", _HOLD, str(data_dir)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert "open\n" == child.stdout.readline()
        yield child.pid
        child.communicate("\n")
    assert 0 == child.returncode


@pytest.mark.parametrize("read_only", [False, True])
def test_held_by_another_process(tmp_path: Path, *, read_only: bool) -> None:
    """The process that holds the file is named, to writers as to readers, and nothing is changed."""
    opened(tmp_path).close()
    with held_elsewhere(tmp_path) as pid:
        before = sorted((path.name, path.stat().st_size) for path in tmp_path.iterdir())
        with pytest.raises(Busy, match=f"process {pid}"):
            opened(tmp_path, read_only=read_only)
        assert before == sorted((path.name, path.stat().st_size) for path in tmp_path.iterdir())
    opened(tmp_path, read_only=read_only).close()


@pytest.mark.parametrize("name", ["owner.json", "p.owner.json", "p.duckdb.owner.json"])
def test_owner_told_about_itself(tmp_path: Path, name: str) -> None:
    """What the owner wrote down about itself is in the message; a file of somebody else isn't believed."""
    with held_elsewhere(tmp_path) as pid:
        record = {"pid": pid, "host": "a-host", "started_at": "2026-01-02T03:04:05Z"}
        (tmp_path / name).write_text(json.dumps(record))
        with pytest.raises(Busy, match="on a-host, since 2026-01-02T03:04:05Z"):
            opened(tmp_path)
        (tmp_path / name).write_text(json.dumps({**record, "pid": pid + 1}))
        with pytest.raises(Busy, match=f"process {pid}\\."):
            opened(tmp_path)
        (tmp_path / name).write_text("{")
        with pytest.raises(Busy, match=f"process {pid}\\."):
            opened(tmp_path)


def test_held_by_this_process(tmp_path: Path) -> None:
    """Two stores of one process on one file would each think themselves alone: the second is refused."""
    store = opened(tmp_path)
    for read_only in (False, True):
        with pytest.raises(Busy):
            opened(tmp_path, f"duckdb:{tmp_path / 'p.duckdb'}", read_only=read_only)
    store.close()
    store.close()
    opened(tmp_path).close()


def test_default_file(tmp_path: Path) -> None:
    """The file is named after the pipeline unless the URL names one; its folder is made."""
    opened(tmp_path / "new").close()
    opened(tmp_path, f"duckdb:{tmp_path / 'deep' / 'er' / 'x.db'}").close()
    assert (tmp_path / "new" / "p.duckdb").is_file()
    assert (tmp_path / "deep" / "er" / "x.db").is_file()


@pytest.mark.parametrize("url", ["postgresql://x", "duckdb::memory:", "p.duckdb"])
def test_other_urls(tmp_path: Path, url: str) -> None:
    """A URL of another kind is refused, and so is a database that forgets."""
    with pytest.raises(ConfigError):
        opened(tmp_path, url)
    assert [] == list(tmp_path.iterdir())


def test_not_a_database(tmp_path: Path) -> None:
    """A file of another kind is refused and stays as it is."""
    (tmp_path / "p.duckdb").write_bytes(b"something else" * 1000)
    with pytest.raises(ConfigError, match="DuckDB"):
        opened(tmp_path)
    assert b"something else" * 1000 == (tmp_path / "p.duckdb").read_bytes()


def test_read_only(tmp_path: Path) -> None:
    """A store that is opened to be read has to be there, gives what it holds, and refuses to change it."""
    with pytest.raises(ConfigError, match="existing"):
        opened(tmp_path / "nowhere", read_only=True)
    assert [] == list(tmp_path.iterdir())
    store = opened(tmp_path)
    store.migrate([EVENTS])
    store.close()
    readers = [opened(tmp_path, read_only=True) for _ in range(2)]
    for reader in readers:
        assert store.identity == reader.identity
        with reader.snapshot() as snapshot:
            assert [0] == snapshot.query("select count(*) as n from events").column("n").to_pylist()
        with pytest.raises(ConfigError):
            reader.migrate([EVENTS])
        with pytest.raises(ConfigError):
            reader.begin("stage", uuid4())
        reader.close()


def test_too_little_memory(tmp_path: Path) -> None:
    """Memory in which DuckDB can't work is refused before the file is made."""
    with pytest.raises(ConfigError, match="memory"):
        open_store("duckdb:", "p", StoreOptions(tmp_path, SystemClock(), memory_bytes=2**20))
    assert [] == list(tmp_path.iterdir())


def test_closed(tmp_path: Path) -> None:
    """A closed store says that it is closed."""
    store = opened(tmp_path)
    store.migrate([])
    store.close()
    with pytest.raises(Fatal, match="closed"), store.snapshot():
        pass


def test_clears_what_a_killed_process_spilled(tmp_path: Path) -> None:
    """Temporary files of a former life are removed, and no others."""
    spilled = tmp_path / "p.duckdb.tmp"
    spilled.mkdir()
    (spilled / "duckdb_temp_storage_DEFAULT-0.tmp").write_bytes(b"x")
    (spilled / "mine.txt").write_text("x")
    opened(tmp_path).close()
    assert ["mine.txt"] == [path.name for path in spilled.iterdir()]
