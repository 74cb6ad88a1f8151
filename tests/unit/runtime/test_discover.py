"""Registering, by several at once."""

import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from qanat import failpoints
from qanat.clock import SystemClock
from qanat.records import FileStat, FoundFile
from qanat.runtime.commit import Committer
from qanat.runtime.discover import Registrar
from qanat.runtime.registry import REGISTRY_TABLES, FileRow, update_file
from qanat.settings import CommonSettings
from qanat.sources.files import Folder, FolderOptions
from qanat.telemetry import Telemetry
from qanat.wiring import open_store


@pytest.mark.postgres
def test_same_file_again_by_two(postgres_fresh: str, tmp_path: Path) -> None:
    """A file that came again, found by one and announced to another in the same moment, gets one row."""
    settings = CommonSettings(store=postgres_fresh, data_dir=tmp_path)
    with closing(open_store("words", settings, SystemClock())) as store:
        store.migrate(REGISTRY_TABLES)
        committer = Committer(store, "words", "count", SystemClock(), Telemetry())
        folder = Folder(FolderOptions(path=tmp_path), SystemClock())
        registrars = [Registrar(folder, committer) for _ in range(2)]
        first = FoundFile(FileStat("a.txt", 2, 1, 1, 0), "sketch", None, "none")
        (counted,) = registrars[0].register([first])
        ended = datetime(2026, 1, 1, tzinfo=UTC)
        committer.commit(
            lambda transaction: update_file(
                transaction, counted.id, state="counted", ended_at=ended
            )
        )
        again = first._replace(stat=FileStat("a.txt", 2, 2, 2, 0))
        entered: list[FileRow] = []
        failpoints.arm("register.before_commit=sleep:0.5@1")
        try:
            threads = [
                threading.Thread(target=lambda r=registrar: entered.extend(r.register([again])))
                for registrar in registrars
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            failpoints.arm("")
        assert [again.stat] == [row.stat for row in entered]
