"""Remote folders: what becomes of the files on a real OpenSSH and a real FTP server."""

import pytest

from qanat.errors import FileChanged, FileVanished
from qanat.sources.files_options import After
from tests.unit.sources.remote_kit import CONTENT, Remote, content_of, fetched


def test_settling(remote: Remote) -> None:
    """Names are never overwritten, another file of that name is left alone, deleting deletes."""
    for number in range(3):
        remote.put("a.txt", CONTENT + b"1 1\n" * number)
        with remote.folder() as folder:
            (stat,) = fetched(folder)
            folder.settle(stat, "done", number)
    assert ["a.txt", "a~1.txt", "a~2.txt"] == remote.names("done")
    remote.put("a.txt", CONTENT[:-1])
    with remote.folder() as folder:
        (stat,) = fetched(folder)
        remote.put("a.txt", b"5 5\n")
        with pytest.raises(FileChanged):
            folder.settle(stat, "done", 7)
    assert b"5 5\n" == (remote.path / "a.txt").read_bytes()
    with remote.folder(after=After.DELETE) as folder:
        (stat,) = fetched(folder)
        assert folder.settle(stat, "done", 8) is None
        assert folder.settle(stat, "done", 8) is None
    assert [] == remote.names()


def test_looking_at_a_file_again(remote: Remote) -> None:
    """Without fetching, a file is read from where it was moved to, and brought back."""
    remote.put("a.txt")
    with remote.folder() as folder:
        (stat,) = fetched(folder)
        where = folder.settle(stat, "done", 1)
        assert where == "done/a.txt"
    with remote.folder(start=False) as folder:
        there = folder.look(where)
        assert there is not None
        assert CONTENT == content_of(folder, there)
        assert stat == folder.bring_back("a.txt", where)
        assert stat == folder.bring_back("a.txt", where)
        with pytest.raises(FileVanished):
            folder.bring_back("b.txt", "done/b.txt")
    assert ["a.txt"] == remote.names()
