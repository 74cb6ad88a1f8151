"""What this process published a moment ago, as it was before it was packed: a stage behind it reads from here.

Unpacking what the same process has just packed took an eighth of the processor time of a whole path from a socket to tables.
"""

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    import pyarrow as pa

# Two large batches of events: a reader that is further behind unpacks.
RECENT_BYTES_MAX: Final = 128 << 20

Place: TypeAlias = tuple[str, int, int]
"""A topic's incarnation, a partition's number, and the first offset of a batch."""


class Recent:
    """Batches by their places, the oldest leave first. Any thread may use it."""

    def __init__(self, bytes_max: int = RECENT_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._batches: OrderedDict[Place, pa.Table] = OrderedDict()
        self._bytes = 0
        self._guard = threading.Lock()

    def keep(self, place: Place, rows: "pa.Table") -> None:
        """Keep a batch that is committed."""
        size = rows.nbytes
        if size > self._bytes_max:
            return
        with self._guard:
            self._batches[place] = rows
            self._bytes += size
            while self._bytes > self._bytes_max:
                _, oldest = self._batches.popitem(last=False)
                self._bytes -= oldest.nbytes

    def get(self, place: Place) -> "pa.Table | None":
        """Return a batch; None when it isn't kept."""
        with self._guard:
            return self._batches.get(place)

    def clear(self) -> None:
        """Forget all."""
        with self._guard:
            self._batches.clear()
            self._bytes = 0
