"""Who fetches from a remote folder: one process at a time, into one store."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from filelock import FileLock

from qanat.errors import Busy
from qanat.sources.files_claim import FolderClaim, claim_folder
from qanat.sources.files_locks import acquire, file_lock
from qanat.sources.files_options import PRIVATE


@dataclass(frozen=True, slots=True)
class RemoteClaim:
    """The right to fetch from a remote folder (see `FolderClaim`)."""

    before: str | None
    _spool: FolderClaim
    _lock: FileLock

    def release(self) -> None:
        """Give it up; twice is harmless."""
        if self._lock.is_locked:
            self._lock.release()
        self._spool.release()

    def __enter__(self) -> Self:
        """It is claimed already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give it up."""
        self.release()


def claim_spool(
    spool: Path, url: str, store_identity: str, pipeline: str, described: str
) -> RemoteClaim:
    """Claim a remote folder by its spool; see `RemoteFolder.claim`."""
    claim = claim_folder(spool, store_identity, pipeline, described)
    lock = file_lock(spool / PRIVATE / "fetching.lock")
    if acquire(lock, timeout_s=0) is False:
        claim.release()
        raise Busy(
            f"another process fetches from {url} already.",
            hint="One at a time does; stop that one first.",
        )
    return RemoteClaim(claim.before, claim, lock)
