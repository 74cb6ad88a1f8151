"""A file moves to `done` before its commit."""

from qanat.records import Item
from qanat.runtime.counting import Counting, Result
from qanat.runtime.files import FileSteps
from qanat.runtime.registry import FileRow
from qanat.sources.files import Folder
from tests.faults.broken.breaking import nothing, replaced

_count = FileSteps._count


def count(self: FileSteps, file: FileRow, item: Item, result: Result) -> None:
    """Move, then count."""
    counting: Counting = self.counting
    counting.source.settle(file.stat, "done", file.id)
    _count(self, file, item, result)


def break_it() -> None:
    """Break this process. The check before the commit would find the file gone."""
    replaced(FileSteps, "_count", count)
    replaced(Folder, "check", nothing)
