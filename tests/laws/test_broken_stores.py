"""The laws catch what they are for: stores that are broken on purpose, each by the law that
has to find it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from qanat.interfaces import Scalar, Store, StoreOptions
from qanat.records import Item, Move, Partition, Progress, Staged
from qanat.tables import Table, WriteMode
from qanat.testing import FakeClock
from qanat.testing.laws import StoreLaws
from qanat.testing.laws_store import TABLES, TOTALS
from qanat.testing.memory_arrow import Row
from qanat.testing.memory_store import MemoryStore
from qanat.testing.memory_transaction import UNMOVED, MemoryTransaction

Law = Callable[[StoreLaws, Store], None]
Broken = type[MemoryTransaction]


class VersionIgnored(MemoryTransaction):
    """Moves on from whatever is stored."""

    def advance(self, stage: str, moves: Mapping[Partition, Move]) -> None:
        stored = {name: self._state.progress.get((stage, name), UNMOVED) for name in moves}
        super().advance(
            stage,
            {name: move._replace(expected=stored[name].version) for name, move in moves.items()},
        )


class VersionReused(MemoryTransaction):
    """Counts versions by position, so that a rewind brings an old one back."""

    def advance(self, stage: str, moves: Mapping[Partition, Move]) -> None:
        super().advance(stage, moves)
        for name, move in moves.items():
            after = Progress(move.to, int(move.to) // 10, move.incarnation)
            self._state.progress[stage, name] = after


class FencedTooLate(MemoryTransaction):
    """Forgets that it was fenced."""

    def commit(self) -> None:
        self._fenced = False
        super().commit()


class LedgerAlwaysNew(MemoryTransaction):
    """Enters an id however often."""

    def enter(self, item_ids: Sequence[str]) -> frozenset[str]:
        super().enter(item_ids)
        return frozenset()


class LedgerApart(MemoryTransaction):
    """Enters ids at once, not with the transaction."""

    def enter(self, item_ids: Sequence[str]) -> frozenset[str]:
        known = super().enter(item_ids)
        self._database.state.ledger.update(item_ids)
        return known


class FinishApart(MemoryTransaction):
    """Removes items at once, not with the transaction."""

    def finish(self, queue: str, item_ids: Sequence[str]) -> None:
        self._database.queue(queue).remove(item_ids)


class FirstPartOnly(MemoryTransaction):
    """Merges the first part."""

    def _staged_rows(self, parts: Sequence[Staged]) -> list[Row]:
        return super()._staged_rows(parts[:1])


class MergedTwice(MemoryTransaction):
    """Merges every part twice."""

    def _staged_rows(self, parts: Sequence[Staged]) -> list[Row]:
        return super()._staged_rows([*parts, *parts])


class PartsLostInSilence(MemoryTransaction):
    """Merges the parts that are there."""

    def _staged_rows(self, parts: Sequence[Staged]) -> list[Row]:
        return super()._staged_rows([p for p in parts if tuple(p[:3]) in self._database.staged])


class ZeroesStay(MemoryTransaction):
    """Leaves a row behind that an undo brought to 0."""

    def _keep(self, table: Table, rows: list[Row]) -> None:
        keys = [row["consumer"] for row in rows]
        gone = [row for row in self._state.rows[table.name] if row["consumer"] not in keys]
        super()._keep(table, [*rows, *({**row, "amount": 0, "lines": 0} for row in gone)])


class EqualVersionsReplace(MemoryTransaction):
    """Lets a row of the same version replace another."""

    def _apply(
        self,
        table: Table,
        given: Sequence[Row],
        mode: WriteMode,
        constants: Mapping[str, Scalar] | None,
    ) -> list[Row]:
        stored = self._state.rows[table.name]
        lower = [{**row, "version": int(str(row["version"])) - 1} for row in stored]
        self._state.rows[table.name] = lower
        return super()._apply(table, given, mode, constants)


class EnqueueReplaces(MemoryTransaction):
    """Lets a new item of the same id take the place of the old one."""

    def enqueue(self, queue: str, items: Sequence[Item]) -> None:
        self.finish(queue, [item.id for item in items])
        super().enqueue(queue, items)


class RollbackForgotten(MemoryTransaction):
    """Writes rows through to what everybody sees."""

    def _keep(self, table: Table, rows: list[Row]) -> None:
        super()._keep(table, rows)
        self._database.state.rows[table.name] = rows


CAUGHT: list[tuple[Broken, Law]] = [
    (VersionIgnored, lambda laws, store: laws.test_stale_version_is_fenced(store)),
    (VersionIgnored, lambda laws, store: laws.test_one_of_two_racers_wins(store)),
    (VersionIgnored, lambda laws, store: laws.test_former_owner_is_fenced(store)),
    (VersionReused, lambda laws, store: laws.test_versions_are_never_reused(store)),
    (FencedTooLate, lambda laws, store: laws.test_fenced_for_good(store)),
    (LedgerAlwaysNew, lambda laws, store: laws.test_enters_once(store)),
    (LedgerAlwaysNew, lambda laws, store: laws.test_threads_enter_once(store)),
    (LedgerApart, lambda laws, store: laws.test_enter_rolled_back(store)),
    (LedgerApart, lambda laws, store: laws.test_rollback_leaves_nothing(store, "left")),
    (FinishApart, lambda laws, store: laws.test_finish_rolled_back(store, FakeClock())),
    (FirstPartOnly, lambda laws, store: laws.test_merge_of_many_keys(store, TOTALS)),
    (MergedTwice, lambda laws, store: laws.test_one_staging_for_two_tables(store, TOTALS)),
    (PartsLostInSilence, lambda laws, store: laws.test_merge_of_what_is_gone(store, TOTALS)),
    (ZeroesStay, lambda laws, store: laws.test_drop_when_zero(store, TOTALS)),
    (EqualVersionsReplace, lambda laws, store: laws.test_newer_wins(store)),
    (EnqueueReplaces, lambda laws, store: laws.test_same_id_stays(store, FakeClock())),
    (RollbackForgotten, lambda laws, store: laws.test_rollback_leaves_nothing(store, "raised")),
    (RollbackForgotten, lambda laws, store: laws.test_not_blocked_by_a_writer(store)),
]


class BrokenStore(MemoryStore):
    """A store whose transactions are of a broken kind."""

    broken: Broken = MemoryTransaction

    @contextmanager
    def _begin(self, stage: str, commit_id: UUID) -> Iterator[MemoryTransaction]:
        with self.database.writing:
            yield self.broken(self.database, stage, commit_id)


@pytest.mark.parametrize(("broken", "law"), CAUGHT, ids=lambda value: value.__name__)
def test_is_caught(broken: Broken, law: Law, tmp_path: Path) -> None:
    """The law passes on the whole store, and fails on the broken one."""
    options = StoreOptions(tmp_path, FakeClock(), attempts_max=StoreLaws.attempts_max)
    for kind in (MemoryTransaction, broken):
        store = BrokenStore(options)
        store.broken = kind
        store.migrate(TABLES)
        if kind is MemoryTransaction:
            law(StoreLaws(), store)
        else:
            with pytest.raises((AssertionError, pytest.fail.Exception)):
                law(StoreLaws(), store)
