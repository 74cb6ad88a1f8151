"""What other commands ask of a store of `metering`: carried out by themselves, or by the process that holds the store."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from qanat.clock import Clock, SystemClock
from qanat.errors import ConfigError
from qanat.interfaces import Store
from qanat.pipeline import Pipeline
from qanat.pipelines.metering import INPUTS, PIPELINE, STAGE
from qanat.pipelines.metering.remote import RemoteAccess, access_of, remote_folder
from qanat.runtime.commit import Committer
from qanat.runtime.registry import FileRow, FileState
from qanat.session import Json, Operation
from qanat.settings import load as load_settings
from qanat.sources.files import After, Folder, FolderOptions, shown
from qanat.sources.remote import RemoteFolder, RemoteOptions, address_of, is_remote
from qanat.tables import Upsert, arrow_schema
from qanat.telemetry import Telemetry

if TYPE_CHECKING:
    from qanat.runtime.fileops import FileOperations, Resummed

# What an operation may hold in memory beside a run that has its own keys.
MAX_KEYS = 2_000_000


def remember_input(committer: Committer, location: str) -> None:
    """Note in the store where the files are, for the operations that need them."""
    import pyarrow as pa

    place = address_of(location).url if is_remote(location) else str(Path(location).resolve())
    row = {"stage": committer.stage, "location": place}
    with committer.store.snapshot() as reader:
        there = reader.query(
            "select stage, location from inputs where stage = $stage", {"stage": committer.stage}
        )
    if there.to_pylist() == [row]:
        return
    table = pa.Table.from_pylist([row], schema=arrow_schema(INPUTS))
    committer.commit(lambda transaction: transaction.write(INPUTS, table, Upsert(INPUTS.key)))


def offered(_pipeline: Pipeline) -> Mapping[str, Operation]:
    """Return the operations for a session; see `Pipeline.offers`."""
    return operations()


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
    with _folder(_location(store), clock) as folder:
        yield FileOperations(
            folder,
            SumFiles(cores(), MAX_KEYS, grammar),
            Committer(store, PIPELINE.name, STAGE, clock, telemetry),
        )


@contextmanager
def _folder(location: str, clock: Clock) -> Iterator[Folder | RemoteFolder]:
    """Open the folder to look at files of it. Nothing is settled, so that one that can only be read will do."""
    if not is_remote(location):
        with Folder(FolderOptions(path=Path(location), after=After.KEEP), clock) as folder:
            yield folder
        return
    # Whoever answers for the store may be asked by another process: only what the environment and qanat.toml say holds for
    # both. Copies are made apart from those of a run, and don't outlive the operation.
    access = access_of(load_settings(RemoteAccess, {}, pipeline=PIPELINE.name))
    with TemporaryDirectory(prefix="qanat-") as place:
        options = RemoteOptions(address_of(location), Path(place), access, after=After.KEEP)
        with remote_folder(options, clock) as remote:
            yield remote


def _location(store: Store) -> str:
    with store.snapshot() as reader:
        rows = reader.query("select location from inputs where stage = $stage", {"stage": STAGE})
    if not rows.num_rows:
        raise ConfigError(
            "FILE", "", "a file of a folder that was read", hint="Start `qanat run metering` first."
        )
    return str(rows.column("location")[0].as_py())


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
