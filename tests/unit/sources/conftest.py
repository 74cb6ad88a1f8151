"""What the tests of folders share."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qanat.clock import Clock, SystemClock
from qanat.records import FileStat
from qanat.sources.files import Folder, FolderOptions
from tests.unit.sources.remote_kit import remote

__all__ = ["make_folder", "put", "remote"]  # the fixtures

MakeFolder = Callable[..., Folder]


@pytest.fixture
def make_folder(tmp_path: Path) -> Iterator[MakeFolder]:
    """Make a folder on `tmp_path`/in with the given options; it is closed at the end."""
    made: list[Folder] = []

    def make(clock: Clock | None = None, **options: object) -> Folder:
        path = options.setdefault("path", tmp_path / "in")
        assert isinstance(path, Path)
        path.mkdir(exist_ok=True)
        chosen = FolderOptions(**options)  # type: ignore[arg-type]  # passed through as given
        made.append(Folder(chosen, clock or SystemClock()))
        return made[-1]

    yield make
    for folder in made:
        folder.close()


@pytest.fixture
def put() -> Callable[[Folder, str, bytes], FileStat]:
    """Hand a file over as a good writer does, and return what the folder says of it."""

    def hand_over(folder: Folder, name: str, content: bytes) -> FileStat:
        partial = folder.options.path / ".being-written.part"
        partial.write_bytes(content)
        partial.replace(folder.options.path / name)
        return next(stat for stat in folder.scan() if stat.name == name)

    return hand_over
