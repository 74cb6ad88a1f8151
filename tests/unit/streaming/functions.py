"""Transforms that tests name: what they do in the tests' own process may differ from what they do beside it."""

import os
import sys
import time
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from qanat.records import Transformed

OWN_VARIABLE = "QANAT_TESTS_PROCESS"
"""The number of the tests' process."""

FOLDER_VARIABLE = "QANAT_TESTS_FOLDER"
"""Where `waits` says that it has begun, and waits for the file `go`."""

KEPT: list[pa.Table] = []


def is_beside() -> bool:
    return os.environ[OWN_VARIABLE] != str(os.getpid())


def place(rows: pa.Table, judged_at: datetime) -> Transformed:
    """Each row with the process that saw it, how many came with it, and the time at which they were judged."""
    count = rows.num_rows
    told = {"process": [os.getpid()] * count, "rows": [count] * count, "at": [judged_at] * count}
    return Transformed(pa.table({"id": rows["id"], **told}))


def same(rows: pa.Table, judged_at: datetime) -> Transformed:
    """What was given, and the first rows as rejected."""
    return Transformed(rows, rows.slice(0, 3))


def nothing(rows: pa.Table, judged_at: datetime) -> Transformed:
    """Tables without rows."""
    return Transformed(rows.slice(0, 0), pa.table({"row": pa.array([], pa.int64())}))


def raises(rows: pa.Table, judged_at: datetime) -> Transformed:
    raise ValueError(f"{rows.num_rows} rows")


def raises_beside(rows: pa.Table, judged_at: datetime) -> Transformed:
    if is_beside():
        raise ValueError("only here")
    return place(rows, judged_at)


def waits(rows: pa.Table, judged_at: datetime) -> Transformed:
    """Say that it has begun, and wait for a file; not in the tests' process."""
    folder = Path(os.environ[FOLDER_VARIABLE])
    if is_beside():
        (folder / "begun").touch()
        while not (folder / "go").exists():
            time.sleep(0.01)
    return place(rows, judged_at)


def keeps(rows: pa.Table, judged_at: datetime) -> Transformed:
    """Keep what isn't one's own."""
    KEPT.append(rows)
    return place(rows, judged_at)


def dies(rows: pa.Table, judged_at: datetime) -> Transformed:
    if is_beside():
        os._exit(9)
    return place(rows, judged_at)


if (
    __name__ == "__main__"
):  # a run that tests kill: REFERENCE of a transform whose process it tells of
    from tests.unit.streaming.beside import NOW, begun, rows_of

    os.environ[OWN_VARIABLE] = str(os.getpid())
    own = begun(sys.argv[1])
    print(own.pid, flush=True)
    own(rows_of(3_000), NOW)
    time.sleep(60)
