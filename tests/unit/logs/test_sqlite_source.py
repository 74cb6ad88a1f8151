"""Reading a topic piece by piece, and what acknowledgements cost."""

from pathlib import Path

import pytest

from qanat.errors import SourceLost
from qanat.logs import sqlite_pieces
from qanat.logs.sqlite_pieces import PIECE_ROWS_MIN
from qanat.logs.sqlite_source import SqliteSource
from qanat.testing import FakeClock
from tests.unit.logs.sqlite_kit import EVENTS, ids_of, opened, publish


def polled(source: SqliteSource, *sizes: int) -> list[list[int]]:
    """Return the ids of so many polls."""
    batches = [source.poll(size, 0.0) for size in sizes]
    return [[] if one is None else one.rows.column("id").to_pylist() for one in batches]


def test_slices_across_batches(tmp_path: Path) -> None:
    """Whatever the sizes of batches and polls, every record comes once, in order."""
    with opened(tmp_path) as log:
        source = log.source(EVENTS, "readers")
        source.open({"0": None})
        publish(log, *range(5))
        publish(log, *range(5, 7))
        publish(log, *range(7, 20))
        assert [[0, 1], [2, 3, 4, 5], [6, 7]] == polled(source, 2, 4, 2)
        assert {"0": 12} == source.lag()
        source.open({"0": "4"})
        assert [[4, 5, 6], [*range(7, 20)], []] == polled(source, 3, 100, 100)
        publish(log, 20)
        assert [[20], []] == polled(source, 100, 100)
        assert {"0": 0} == source.lag()


def test_whole_batches_are_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that is read bit by bit is fetched and unpacked once."""
    with opened(tmp_path) as log:
        publish(log, *range(100))
        source = log.source(EVENTS, "readers")
        source.open({"0": None})
        assert [[0]] == polled(source, 1)

        def refuse(*_: object) -> None:
            pytest.fail("fetched again")

        monkeypatch.setattr(sqlite_pieces, "_stored", refuse)
        assert [list(range(1 + 9 * n, 10 + 9 * n)) for n in range(11)] == polled(source, *[9] * 11)


def test_small_pieces_become_one(tmp_path: Path) -> None:
    """Many small batches are given as one piece, few large ones as they are."""
    with opened(tmp_path) as log:
        for number in range(20):
            publish(log, number)
        source = log.source(EVENTS, "readers")
        source.open({"0": None})
        batch = source.poll(100, 0.0)
        assert batch is not None
        assert 1 == batch.rows.column("id").num_chunks
        for _ in range(2):
            publish(log, *range(2 * PIECE_ROWS_MIN))
        batch = source.poll(10 * PIECE_ROWS_MIN, 0.0)
        assert batch is not None
        assert 2 == batch.rows.column("id").num_chunks


def test_polls_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One poll unpacks no more than so many stored bytes, and one batch at least."""
    monkeypatch.setattr(sqlite_pieces, "FETCH_BYTES_MAX", 1)
    with opened(tmp_path) as log:
        publish(log, 1, 2, 3)
        publish(log, 4, 5)
        source = log.source(EVENTS, "readers")
        source.open({"0": None})
        assert [[1, 2, 3], [4, 5], []] == polled(source, 100, 100, 100)


def test_acknowledgements_are_gathered(tmp_path: Path) -> None:
    """They are written once a second at most, or with whoever closes; `trim` knows them at once."""
    clock = FakeClock()

    def stored() -> int:
        with log.file.reading() as connection:
            found = connection.execute("select acknowledged from readers where reader = 'readers'")
            return int(found.fetchone()[0])

    with opened(tmp_path, clock) as log:
        publish(log, *range(10))
        source = log.source(EVENTS, "readers")
        source.open({"0": None})
        source.acknowledge({"0": "3"})
        assert 0 == stored()
        clock.advance(2.0)
        source.acknowledge({"0": "4"})
        assert 4 == stored()
        source.acknowledge({"0": "5", "strange": "7"})
        assert 4 == stored()
        log.trim([EVENTS], clock.now())
        assert 5 == stored()
        source.acknowledge({"0": "6"})
        source.close()
        assert 6 == stored()


def test_opened_back(tmp_path: Path) -> None:
    """A group that is opened at an earlier place counts from there again."""
    with opened(tmp_path, FakeClock()) as log:
        publish(log, *range(10))
        source = log.source(EVENTS, "readers")
        source.open({"0": "8"})
        source.open({"0": "2"})
        with log.file.reading() as connection:
            assert [(2,)] == connection.execute("select acknowledged from readers").fetchall()
        assert list(range(10)) == ids_of(log)


def test_vanished_topic(tmp_path: Path) -> None:
    """A topic that isn't there any more is lost, also to who only waits for news."""
    with opened(tmp_path) as log:
        source = log.source(EVENTS, "readers")
        source.open({"0": None})
        with log.file.writing() as connection:
            connection.execute("delete from topics")
        for ask in (source.lag, lambda: source.poll(1, 0.0)):
            with pytest.raises(SourceLost, match="made anew"):
                ask()
