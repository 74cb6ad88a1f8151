"""The copies of remote files on this machine: half fetched, or whole and not counted yet.

A copy is two files, named after the remote file's name, size and time: `KEY.json`, which says of
what, and `KEY.part` or, when it is whole, `KEY.whole`. What a copy is of is written before its first
byte, so that a new process goes on where the last one was killed.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from qanat.digests import CHUNK_BYTES, ChunkDigest
from qanat.records import FileStat
from qanat.sources.files_disk import sync_folder

_STATE: Final = "state.json"


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy, or the beginning of one.

    Attributes:
        promised: The digest that the side file promises.
    """

    stat: FileStat
    promised: str | None
    folder: Path

    @property
    def part(self) -> Path:
        """Where it grows."""
        return self.folder / f"{key_of(self.stat)}.part"

    @property
    def whole(self) -> Path:
        """Where it lies when it is complete."""
        return self.folder / f"{key_of(self.stat)}.whole"

    @property
    def note(self) -> Path:
        """What says of which file it is."""
        return self.folder / f"{key_of(self.stat)}.json"


@dataclass(frozen=True, slots=True)
class State:
    """How it is going, for whoever looks from outside.

    Attributes:
        url: Without a password.
        problem: Why the server can't be reached, or the files not fetched; empty when all is well.
    """

    url: str
    problem: str = ""


class Spool:
    """The copies of one remote folder. Any thread may use it, for different files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self) -> None:
        """Make the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def begin(self, stat: FileStat, promised: str | None) -> Copy:
        """Begin a copy, or go on with what is there of it."""
        copy = Copy(stat, promised, self.folder)
        _write_durably(copy.note, {"stat": list(stat), "promised": promised})
        return copy

    def take_in(self, copy: Copy) -> None:
        """Say that a copy is whole; it is on disk from then on, whatever happens."""
        copy.part.replace(copy.whole)
        sync_folder(self.folder)

    def drop(self, stat: FileStat) -> None:
        """Forget a copy, whole or not; harmless when there is none."""
        copy = Copy(stat, None, self.folder)
        with suppress(PermissionError):  # Windows, while it is open: the next tidying does it
            for path in (copy.whole, copy.part, copy.note):
                path.unlink(missing_ok=True)

    def has(self, stat: FileStat) -> bool:
        """Tell whether there is a whole copy."""
        return Copy(stat, None, self.folder).whole.exists()

    def path(self, stat: FileStat) -> Path:
        """Return where the whole copy is, or would be."""
        return Copy(stat, None, self.folder).whole

    def find(self, stat: FileStat) -> Copy | None:
        """Return the whole copy of a file; None if there is none."""
        copy = self._copy(Copy(stat, None, self.folder).note)
        return copy if copy is not None and copy.whole.exists() else None

    def whole(self) -> list[Copy]:
        """List the copies that are complete."""
        return [copy for copy in self._copies() if copy.whole.exists()]

    def unfinished(self) -> list[tuple[Copy, int]]:
        """List the others, each with the bytes that are there."""
        found = []
        for copy in self._copies():
            with suppress(FileNotFoundError):
                found.append((copy, copy.part.stat().st_size))
        return found

    def keep_only(self, stats: Iterable[FileStat]) -> None:
        """Forget what was begun of other files than these: nobody will finish it."""
        wanted = set(stats)
        for copy, _ in self.unfinished():
            if copy.stat not in wanted:
                self.drop(copy.stat)

    def tell(self, state: State) -> None:
        """Note how it is going."""
        _write(self.folder / _STATE, asdict(state))

    def state(self) -> State | None:
        """Return what was noted last."""
        try:
            return State(**json.loads((self.folder / _STATE).read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def _copies(self) -> Iterator[Copy]:
        if not self.folder.is_dir():
            return
        for path in sorted(self.folder.glob("*.json")):
            if path.name != _STATE and (copy := self._copy(path)) is not None:
                yield copy

    def _copy(self, note: Path) -> Copy | None:
        """Read a note; None when it is gone or not ours."""
        try:
            noted = json.loads(note.read_bytes())
            copy = Copy(FileStat(*noted["stat"]), noted["promised"], self.folder)
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None
        return copy if copy.note == note else None


def key_of(stat: FileStat) -> str:
    """Return the name that a file's copy has."""
    return hashlib.sha256(json.dumps(list(stat)).encode()).hexdigest()[:32]


def digest_of(path: Path) -> str:
    """Return a file's digest (see `qanat.digests`)."""
    digest = ChunkDigest()
    with path.open("rb") as file:
        while data := file.read(CHUNK_BYTES):
            digest.update(data)
    return digest.hexdigest()


def spools(data_dir: Path, pipeline: str) -> list[Spool]:
    """List the spools of a pipeline that are there."""
    root = _root(data_dir, pipeline)
    return [Spool(path) for path in sorted(root.iterdir())] if root.is_dir() else []


def spool_folder(data_dir: Path, pipeline: str, key: str) -> Path:
    """Return where the spool of a remote folder is."""
    return _root(data_dir, pipeline) / key


def _root(data_dir: Path, pipeline: str) -> Path:
    return data_dir / f"{pipeline}-remote"


def _write(path: Path, fields: dict[str, object]) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(json.dumps(fields), encoding="utf-8")
    temporary.replace(path)


def _write_durably(path: Path, fields: dict[str, object]) -> None:
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(fields, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
