"""The newest of a stored report, kept for a moment: many ask for the same, and the store plans a statement for milliseconds."""

import threading
from dataclasses import dataclass, field

from qanat.clock import Clock
from qanat.pipeline import Report
from qanat.serve.stored import Text, newest_text
from qanat.session import Session

# So much later than the store an answer may tell of a report that was made anew: nobody sees late events to the second.
KEPT_S = 1.0


@dataclass(slots=True)
class Newest:
    """Reads the newest of one report, at most once in `KEPT_S`. Any thread may use it."""

    session: Session
    report: Report
    clock: Clock
    _read: tuple[float, Text] | None = None
    _reading: threading.Lock = field(default_factory=threading.Lock)

    def kept(self) -> Text | None:
        """Return what was read less than `KEPT_S` ago, at once; None where `text` has to read."""
        read = self._read
        if read is None or self.clock.monotonic() - read[0] >= KEPT_S:
            return None
        return read[1]

    def text(self) -> Text | None:
        """Return the report of the newest window; None before the first."""
        kept = self.kept()
        if kept is not None:
            return kept
        with self._reading:  # one reads for all who ask meanwhile
            kept = self.kept()
            if kept is not None:
                return kept
            text = newest_text(self.session, self.report)
            self._read = None if text is None else (self.clock.monotonic(), text)
            return text
