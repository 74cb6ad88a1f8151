"""A file is registered anew by every process that finds it."""

from collections.abc import Iterable
from uuid import uuid4

from qanat.records import FileStat, FoundFile
from qanat.runtime import discover
from qanat.runtime.registry import FileRow, Queries
from qanat.sources.files import Folder
from tests.faults.broken.breaking import replaced

_find = Folder.find


def find(self: Folder, stat: FileStat) -> FoundFile | None:
    """Give a sketch that differs each time."""
    found = _find(self, stat)
    return found and found._replace(sketch=uuid4().hex)


def files_named(_store: Queries, _names: Iterable[str]) -> list[FileRow]:
    """Know of none."""
    return []


def break_it() -> None:
    """Break this process."""
    replaced(Folder, "find", find)
    replaced(discover, "files_named", files_named)
