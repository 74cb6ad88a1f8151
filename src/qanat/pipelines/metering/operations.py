"""What other commands ask of a store of `metering`: carried out by themselves, or by the process that holds the store."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from qanat.clock import Clock, SystemClock
from qanat.errors import ConfigError
from qanat.interfaces import Store
from qanat.pipelines.metering import INPUTS, PIPELINE, STAGE
from qanat.runtime.commit import Committer
from qanat.runtime.registry import FileRow, FileState
from qanat.session import Json, Operation
from qanat.sources.files import After, Folder, FolderOptions, shown
from qanat.tables import Upsert, arrow_schema
from qanat.telemetry import Telemetry

if TYPE_CHECKING:
    from qanat.runtime.fileops import FileOperations, Resummed

# What an operation may hold in memory beside a run that has its own keys.
MAX_KEYS = 2_000_000


def remember_input(committer: Committer, location: Path) -> None:
    """Note in the store where the files are, for the operations that need them."""
    import pyarrow as pa

    row = {"stage": committer.stage, "location": str(location.resolve())}
    with committer.store.snapshot() as reader:
        there = reader.query(
            "select stage, location from inputs where stage = $stage", {"stage": committer.stage}
        )
    if there.to_pylist() == [row]:
        return
    table = pa.Table.from_pylist([row], schema=arrow_schema(INPUTS))
    committer.commit(lambda transaction: transaction.write(INPUTS, table, Upsert(INPUTS.key)))


def operations(
    clock: Clock | None = None, telemetry: Telemetry | None = None
) -> Mapping[str, Operation]:
    """Return every operation by name; each takes the store first, then arguments that JSON can carry.

    What an operation needs is imported when it is called: a run offers all of them, and is hardly ever asked.
    """
    clock, telemetry = clock or SystemClock(), telemetry or Telemetry()

    def verify(store: Store, name: str) -> dict[str, Json]:
        with _files(store, clock, telemetry) as files:
            file = files.find(name, (FileState.COUNTED,), shown(name))
            return _compared(file, files.verify(file))

    def undo(store: Store, name: str) -> dict[str, Json]:
        with _files(store, clock, telemetry) as files:
            file = files.find(name, (FileState.COUNTED,), shown(name))
            again = files.undo(file)
        return {"file": file.id, "name": file.name, "lines": again.lines_good, "total": again.total}

    def requeue(store: Store, name: str) -> dict[str, Json]:
        states = (FileState.HELD, FileState.FAILED, FileState.UNDONE)
        with _files(store, clock, telemetry) as files:
            file = files.find(name, states, shown(name))
            files.requeue(file)
        return {"file": file.id, "name": file.name, "was": file.state}

    def rollup(store: Store, days_after_s: float, months_after_s: float) -> dict[str, Json]:
        from qanat.pipelines.metering.rollup import Ages, roll_up

        committer = Committer(store, PIPELINE.name, "rollup", clock, telemetry)
        periods = roll_up(committer, Ages(days_after_s, months_after_s), clock.now())
        return {"periods": periods}

    def replay_letter(store: Store, letter: str, text: str | None) -> dict[str, Json]:
        from qanat.pipelines.metering.replay import replay

        committer = Committer(store, PIPELINE.name, STAGE, clock, telemetry)
        consumer, amount = replay(committer, letter, text)
        return {"letter": letter, "consumer": consumer, "amount": amount}

    def drop_letter(store: Store, letter: str) -> dict[str, Json]:
        from qanat.pipelines.metering.replay import drop

        drop(Committer(store, PIPELINE.name, STAGE, clock, telemetry), letter)
        return {"letter": letter, "state": "dropped"}

    return {
        "verify": verify,
        "undo": undo,
        "requeue": requeue,
        "rollup": rollup,
        "replay": replay_letter,
        "drop": drop_letter,
    }


@contextmanager
def _files(store: Store, clock: Clock, telemetry: Telemetry) -> Iterator["FileOperations"]:
    from qanat.pipelines.metering.grammar import noted
    from qanat.pipelines.metering.transform import SumFiles, cores
    from qanat.runtime.fileops import FileOperations

    with store.snapshot() as reader:
        grammar = noted(reader)
    # Nothing is settled here, so that a folder that can only be read is good enough to look at.
    folder = Folder(FolderOptions(path=_location(store), after=After.KEEP), clock)
    try:
        yield FileOperations(
            folder,
            SumFiles(cores(), MAX_KEYS, grammar),
            Committer(store, PIPELINE.name, STAGE, clock, telemetry),
        )
    finally:
        folder.close()


def _location(store: Store) -> Path:
    with store.snapshot() as reader:
        rows = reader.query("select location from inputs where stage = $stage", {"stage": STAGE})
    if not rows.num_rows:
        raise ConfigError(
            "FILE", "", "a file of a folder that was read", hint="Start `qanat run metering` first."
        )
    return Path(rows.column("location")[0].as_py())


def _compared(file: FileRow, again: "Resummed") -> dict[str, Json]:
    counted: dict[str, Json] = {
        "lines_good": file.lines_good,
        "lines_bad": file.lines_bad,
        "total": file.total,
        "digest": file.digest,
    }
    summed: dict[str, Json] = {
        "lines_good": again.lines_good,
        "lines_bad": again.lines_bad,
        "total": again.total,
        "digest": again.digest,
    }
    return {
        "file": file.id,
        "name": file.name,
        "equal": counted == summed,
        "counted": counted,
        "summed": summed,
    }
