"""Who counts the files of a folder: any number of instances with one store, never two stores at
once.

Each instance has two files in `.qanat/instances`: a lock that it holds, which ends with the
process, and a description. Whoever comes tries the locks of the others: one that can be had
belonged to a process that is gone. `.qanat/last.json` remembers the last store for good, so that a
change of stores can be told.
"""

import json
import os
import platform
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from filelock import FileLock

from qanat.errors import Busy
from qanat.sources.files_locks import acquire, file_lock
from qanat.sources.files_names import shown
from qanat.sources.files_options import PRIVATE

# Claiming takes a few milliseconds; a machine that is this busy is stuck.
_CLAIM_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Instance:
    """Who has claimed a folder.

    Attributes:
        store: The store's identity.
        described: The store as people know it; no password.
    """

    store: str
    pipeline: str
    described: str
    pid: int
    host: str


class FolderClaim:
    """The right to count a folder's files. Ends with `release`, or with the process.

    Attributes:
        before: Another store that counted from this folder before, described; None if there was
            none.
        guarded: False where the folder can't be written to, or the file system has no locks:
            nothing keeps others away.
    """

    def __init__(
        self, before: str | None, lock: FileLock | None = None, description: Path | None = None
    ) -> None:
        self.before = before
        self.guarded = lock is not None
        self._lock = lock
        self._description = description

    def release(self) -> None:
        """Give the folder up; twice is harmless."""
        if self._description is not None:
            self._description.unlink(missing_ok=True)
        if self._lock is not None and self._lock.is_locked:
            self._lock.release()
            # Windows refuses while somebody tries the lock; he then finds it free and removes it.
            with suppress(OSError):
                Path(self._lock.lock_file).unlink(missing_ok=True)

    def __enter__(self) -> Self:
        """The folder is claimed already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the folder up."""
        self.release()


def claim_folder(path: Path, store_identity: str, pipeline: str, described: str) -> FolderClaim:
    """Claim the folder at `path` for a pipeline and its store; see `Folder.claim`."""
    instances = path / PRIVATE / "instances"
    mine = Instance(store_identity, pipeline, described, os.getpid(), platform.node())
    gate = file_lock(path / PRIVATE / "claim.lock")
    try:
        instances.mkdir(parents=True, exist_ok=True)
    except OSError:
        return FolderClaim(None)
    gained = acquire(gate, _CLAIM_TIMEOUT_S)
    if gained is None:
        return FolderClaim(None)
    if gained is False:
        raise Busy(f"another process has been claiming {path} for {_CLAIM_TIMEOUT_S:.0f} s.")
    try:
        _refuse_others(path, instances, mine)
        return _enter(instances, mine)
    finally:
        gate.release()


def _refuse_others(path: Path, instances: Path, mine: Instance) -> None:
    for other, description in _living(instances):
        if (other.store, other.pipeline) != (mine.store, mine.pipeline):
            raise Busy(
                f"the files in {shown(str(path))} are being counted by {other.pipeline} into "
                f"{other.described} (process {other.pid} on {other.host}).",
                hint="A folder feeds one store at a time: stop that process, or use another "
                f"folder. If it is certain that it is gone, delete {description}.",
            )


def _living(instances: Path) -> Iterator[tuple[Instance, Path]]:
    """Yield the instances that hold their locks; remove what the others left."""
    for description in sorted(instances.glob("*.json")):
        other = _read(description)
        lock = file_lock(description.with_suffix(".lock"))
        # None: it belongs to another user, or can't be tried. It may live.
        if acquire(lock, timeout_s=0) is not True:
            if other is not None:
                yield other, description
            continue
        description.unlink(missing_ok=True)
        lock.release()
        with suppress(OSError):
            Path(lock.lock_file).unlink(missing_ok=True)


def _enter(instances: Path, mine: Instance) -> FolderClaim:
    last = instances.parent / "last.json"
    earlier = _read(last)
    changed = earlier is not None and (earlier.store, earlier.pipeline) != (
        mine.store,
        mine.pipeline,
    )
    name = f"{mine.pid}-{uuid.uuid4().hex}"
    lock = file_lock(instances / f"{name}.lock")
    if acquire(lock, timeout_s=0) is not True:
        return FolderClaim(None)
    description = instances / f"{name}.json"
    _write(description, mine)
    _write(last, mine)
    return FolderClaim(earlier.described if earlier and changed else None, lock, description)


def _write(path: Path, instance: Instance) -> None:
    """Write all at once, so that nobody reads half of it."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    temporary.write_text(json.dumps(asdict(instance)), encoding="utf-8")
    temporary.replace(path)


def _read(path: Path) -> Instance | None:
    """Read a description; None when it is gone or was cut short by a power failure."""
    try:
        return Instance(**json.loads(path.read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
