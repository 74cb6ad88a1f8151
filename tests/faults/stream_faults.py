"""What may happen to a stage on an ordered source: each ends with the stream drained."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from qanat import failpoints
from qanat.errors import CommitUnknown, Fenced
from qanat.runtime.loop import Moved
from qanat.testing.memory_transaction import MemoryTransaction
from tests.faults.streams import Stream

Fault = Callable[[Stream], None]


def dies_at(point: str) -> Fault:
    """The process dies there, again and again, and is started anew each time."""

    def fault(stream: Stream) -> None:
        for nth in (1, 2, 1, 3):
            failpoints.arm(
                f"{point}=disk-full@{nth}"
            )  # nothing catches it: it ends the process's loop
            with suppress(OSError):
                stream.run()
        failpoints.arm("")
        stream.run()

    fault.__name__ = f"dies_at_{point}"
    return fault


def fails_at(point: str) -> Fault:
    """What is done there fails for now, twice."""

    def fault(stream: Stream) -> None:
        failpoints.arm(f"{point}=raise@2")
        stream.run()
        failpoints.arm("")

    fault.__name__ = f"fails_at_{point}"
    return fault


def overtaken(stream: Stream) -> None:
    """Another process takes over while this one is slow, and this one goes on with what it knows."""
    with stream.process("slow") as slow:
        slow.step()
        slow.committer.store.release("sum", slow.source.partitions(), "slow")
        with stream.process("quick") as quick:
            quick.step()
        for _ in range(100):
            try:
                if slow.step() is Moved.DRAINED:
                    break
            except Fenced:
                slow.reload()
    stream.run()


class _ReplyLost(MemoryTransaction):
    """Every second reply to COMMIT is lost."""

    commits = 0
    carries_out = True

    def commit(self) -> None:
        kind = type(self)
        kind.commits += 1
        if kind.commits % 2:
            super().commit()
            return
        if self.carries_out:
            super().commit()
        raise CommitUnknown


class _CommitLost(_ReplyLost):
    """Every second COMMIT never arrives."""

    carries_out = False


def reply_lost(stream: Stream) -> None:
    """The reply to a COMMIT is lost after it was carried out."""
    _with_transactions(stream, _ReplyLost)


def commit_lost(stream: Stream) -> None:
    """A COMMIT never arrives, and nobody says so."""
    _with_transactions(stream, _CommitLost)


def _with_transactions(stream: Stream, kind: type[MemoryTransaction]) -> None:
    mixed = type(kind.__name__, (kind, stream.kinds.transaction), {"commits": 0})
    stream.kinds = replace(stream.kinds, transaction=mixed)
    stream.run()
