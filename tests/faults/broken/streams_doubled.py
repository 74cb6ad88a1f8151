"""The source repeats records on a resume, and nothing tells them apart."""

from dataclasses import replace

from qanat.runtime.stream_tables import TableSteps
from tests.faults.broken.breaking import replaced

_post_init = TableSteps.__post_init__


def post_init(self: TableSteps) -> None:
    """Write the de-duplicating table like any other."""
    by = self.writer.deduplicate
    if by is not None:
        from qanat.runtime.stream_tables import TableWrite
        from qanat.tables import Append

        writes = (TableWrite(by.table, Append()), *self.writer.writes)
        self.writer = replace(self.writer, writes=writes, deduplicate=None)
    _post_init(self)


def break_it() -> None:
    """Break this process."""
    replaced(TableSteps, "__post_init__", post_init)
