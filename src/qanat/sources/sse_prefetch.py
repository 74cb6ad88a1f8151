"""What a stream's reader has received and nobody has polled yet: bounded, so that back-pressure reaches the server."""

import threading
from collections import deque
from typing import TYPE_CHECKING

from qanat.errors import QanatError

if TYPE_CHECKING:
    import pyarrow as pa


class Prefetch:
    """A queue of batches between the thread that reads a connection and the one that polls."""

    def __init__(self, bytes_max: int, rows_max: int) -> None:
        self._bytes_max = bytes_max
        self._rows_max = rows_max
        self._batches: deque[pa.RecordBatch] = deque()
        self._bytes = 0
        self._rows = 0
        self._error: QanatError | None = None
        self._woken = False
        self._closed = False
        self._changed = threading.Condition()

    def put(self, batch: "pa.RecordBatch") -> bool:
        """Add a batch as soon as there is room; False when nobody wants it any more."""
        with self._changed:
            self._changed.wait_for(self._has_room)
            if self._closed:
                return False
            self._batches.append(batch)
            self._bytes += batch.nbytes
            self._rows += batch.num_rows
            self._changed.notify_all()
            return True

    def fail(self, error: QanatError) -> None:
        """Let whoever takes have the error, behind what came before it, for good; the first one counts."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    def take(self, rows_max: int, wait_s: float) -> "list[pa.RecordBatch]":
        """Return what is there, up to `rows_max` rows; empty when nothing came within `wait_s`, or when woken.

        Raises:
            QanatError: The one that ended the reading, once everything before it was taken.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._batches or self._error or self._woken, wait_s)
            self._woken = False
            taken = []
            while self._batches and rows_max > 0:
                batch = self._batches.popleft()
                if batch.num_rows > rows_max:
                    self._batches.appendleft(batch.slice(rows_max))
                    batch = batch.slice(0, rows_max)
                rows_max -= batch.num_rows
                self._rows -= batch.num_rows
                self._bytes -= batch.nbytes
                taken.append(batch)
            if not self._batches:
                self._bytes = 0  # slices count their bytes a little differently from the whole
                if self._error and not taken:
                    raise self._error
            self._changed.notify_all()
            return taken

    def wake(self) -> None:
        """Make a `take` that waits return now, or the next one not wait."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def close(self) -> None:
        """Let a `put` that waits return: nobody takes any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _has_room(self) -> bool:
        full = self._bytes >= self._bytes_max or self._rows >= self._rows_max
        return self._closed or not full
