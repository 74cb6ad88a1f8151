"""Who holds a DuckDB file that another process has open."""

import json
import re
from pathlib import Path

from qanat.errors import Busy

_SIGNS = (
    "Could not set lock",
    "Conflicting lock",
    "being used by another process",
    "File is already open",
    "different configuration than existing connections",
)
_PID = re.compile(r"\(PID (\d+)\)")
_HINT = (
    "One process at a time can have a DuckDB file open. Stop the other one, or use PostgreSQL"
    " (--store postgresql://… or postgresql+local:), which several can share."
)


def is_busy(text: str) -> bool:
    """Tell whether DuckDB's message says that somebody else has the file open."""
    return any(sign in text for sign in _SIGNS)


def busy(path: Path, data_dir: Path, text: str) -> Busy:
    """Return the error that names the holder, as well as it is known.

    Args:
        path: The database.
        data_dir: Where an owner's file may lie, if not beside the database.
        text: What DuckDB said.
    """
    found = _PID.search(text)
    pid = int(found[1]) if found else None
    holder = f"process {pid}" if pid else "another process"
    if "this process" in text:
        holder = "another store of this very process"
    record = _owner(path, data_dir, pid)
    if record:
        holder = f"process {record['pid']} on {record.get('host', 'this machine')}"
        if "started_at" in record:
            holder += f", since {record['started_at']}"
    return Busy(f"{path} is held by {holder}. Nothing was changed.", hint=_HINT)


def _owner(path: Path, data_dir: Path, pid: int | None) -> dict[str, object] | None:
    """Return what the owner wrote down, if it is about the process that DuckDB names."""
    stem = path.name.removesuffix(".duckdb")
    for place in (
        path.with_name(f"{path.name}.owner.json"),
        data_dir / f"{stem}.owner.json",
        data_dir / "owner.json",
    ):
        try:
            record = json.loads(place.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # the file only adds detail to a message; without it the message stands
        if isinstance(record, dict) and "pid" in record and pid in {None, record["pid"]}:
            return record
    return None
