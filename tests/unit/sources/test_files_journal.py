"""The note of how far a store has counted."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

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


def test_a_note_lost_by_a_power_failure_counts_as_none(make_folder: MakeFolder) -> None:
    folder = make_folder()
    folder.remember("one", 7)
    (folder.options.path / ".qanat" / "counted-one").write_bytes(b"")
    assert folder.remembered("one") == 0
    folder.remember("one", 8)
    assert folder.remembered("one") == 8


def test_many_may_note_at_once(make_folder: MakeFolder) -> None:
    """No note is ever seen half written, and none is greater than what was counted."""
    folder = make_folder()
    with ThreadPoolExecutor(4) as threads:
        seen = threads.map(
            lambda number: (folder.remember("one", number), folder.remembered("one"))[1],
            range(1, 200),
        )
        assert all(0 < number < 200 for number in seen)
    assert [path.name for path in (folder.options.path / ".qanat").iterdir()] == ["counted-one"]
