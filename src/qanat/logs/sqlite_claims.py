"""Claims of partitions: locked files, which end with their process whatever ends it."""

import hashlib
import threading
from collections.abc import Iterable
from pathlib import Path

from filelock import FileLock, Timeout

from qanat.errors import ConfigError
from qanat.records import Partition

_Key = tuple[str, Partition]


class Claims:
    """What one handle has claimed, each for one of its owners. Any thread may use it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        self._held: dict[_Key, tuple[str, FileLock]] = {}

    def take(self, stage: str, partitions: Iterable[Partition], owner: str) -> list[Partition]:
        """Claim what nobody has; return those that are the owner's now."""
        with self._guard:
            return [name for name in partitions if self._take((stage, name), owner)]

    def release(self, stage: str, partitions: Iterable[Partition], owner: str) -> None:
        """Give back those that are the owner's."""
        with self._guard:
            for name in partitions:
                if self._held.get((stage, name), ("", None))[0] == owner:
                    self._held.pop((stage, name))[1].release()

    def close(self) -> None:
        """Give everything back."""
        with self._guard:
            for _, lock in self._held.values():
                lock.release()
            self._held.clear()

    def _take(self, key: _Key, owner: str) -> bool:
        held = self._held.get(key)
        if held is not None:
            return held[0] == owner
        lock = lock_at(self._folder / f"{_digest(key)}.lock")
        if lock is None:
            return False
        self._held[key] = owner, lock
        return True


def lock_at(path: Path, timeout_s: float = 0.0) -> FileLock | None:
    """Lock a file; None when another one has it for longer than `timeout_s`.

    Raises:
        ConfigError: The folder knows no locks.
    """
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=timeout_s, poll_interval=0.02)
    except Timeout:
        return None
    except (NotImplementedError, OSError) as error:
        valid = "in a folder where files can be made and locked"
        raise ConfigError("the log", str(path.parent), valid, str(error)) from error
    return lock


def _digest(key: _Key) -> str:
    """Name a lock: stages and partitions may be called anything."""
    return hashlib.sha256("\0".join(key).encode()).hexdigest()[:24]
