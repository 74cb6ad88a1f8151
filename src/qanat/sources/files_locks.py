"""Locks between processes that end with their holder, whatever ends it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


class InstanceLock:
    """A lock between the threads of this process, and between processes where the file system has
    locks.

    Args:
        path: The lock's file; its folder is made when it is first held.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock; waits for it."""
        with self._threads:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock = file_lock(self._path)
            locked = acquire(lock, timeout_s=-1)
            try:
                yield
            finally:
                if locked:
                    lock.release()


def file_lock(path: Path) -> FileLock:
    """Make a lock that any thread may release."""
    return FileLock(path, thread_local=False)


def acquire(lock: FileLock, timeout_s: float) -> bool | None:
    """Acquire a lock: True when it is ours, False when somebody else has it, None where there are
    no locks.

    Args:
        lock: From `file_lock`.
        timeout_s: How long to wait; negative: for ever.
    """
    try:
        lock.acquire(timeout=timeout_s, poll_interval=0.02)
    except Timeout:
        return False
    except (NotImplementedError, OSError):
        return None
    return True
