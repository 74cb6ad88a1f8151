"""The note of how far a store has counted."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from qanat.sources.files import Folder

MakeFolder = Callable[..., Folder]


def test_the_greatest_number_of_each_store_is_remembered(make_folder: MakeFolder) -> None:
    folder = make_folder()
    assert folder.remembered("one") == 0
    for number in (3, 7, 5):
        folder.remember("one", number)
    folder.remember("two", 1)
    assert (folder.remembered("one"), folder.remembered("two")) == (7, 1)
    assert make_folder().remembered("one") == 7


def test_any_identity_can_be_remembered(make_folder: MakeFolder) -> None:
    """It never becomes a path."""
    folder = make_folder()
    folder.remember("../../escape", 3)
    assert folder.remembered("../../escape") == 3
    assert not (folder.options.path.parent / "escape").exists()


@pytest.mark.parametrize("damage", [(b"0", b"9"), (b"\n", b""), (b"7 ", b"8 ")])
def test_a_note_that_is_damaged_counts_as_none(
    make_folder: MakeFolder, damage: tuple[bytes, bytes]
) -> None:
    """By a power failure, or read while it is written."""
    folder = make_folder()
    folder.remember("one", 7)
    note = folder.options.path / ".qanat" / "counted-one"
    note.write_bytes(note.read_bytes().replace(*damage, 1))
    assert folder.remembered("one") == 0
    folder.remember("one", 8)
    assert folder.remembered("one") == 8


def test_many_may_note_at_once(make_folder: MakeFolder) -> None:
    """No note is ever seen half written, and none is greater than what was counted."""
    folder = make_folder()
    with ThreadPoolExecutor(4) as threads:

        def note(number: int) -> int:
            folder.remember("one", number)
            return folder.remembered("one")

        assert all(0 < number < 200 for number in threads.map(note, range(1, 200)))
    assert [path.name for path in (folder.options.path / ".qanat").iterdir()] == ["counted-one"]
