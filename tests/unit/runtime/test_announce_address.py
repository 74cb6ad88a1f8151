"""The socket's path: whose it is, who may use it, and what is left by the dead."""

import os
import socket
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from qanat.clock import SystemClock
from qanat.errors import Busy, ConfigError
from qanat.runtime.announce_address import AnnounceAddress, BoundSocket
from qanat.runtime.announce_client import NobodyListens, announce

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Python has no UNIX sockets there")

# A process that listens at the path of its argument, and dies without a word.
_KILLED = """
import os, signal, sys
from pathlib import Path
from qanat.runtime.announce_address import AnnounceAddress, BoundSocket
bound = BoundSocket(AnnounceAddress(Path(sys.argv[1])))
os.kill(os.getpid(), signal.SIGKILL)
"""
# The same, in the midst of making the socket.
_KILLED_EARLY = """
import os, signal, sys
from pathlib import Path
from qanat.runtime.announce_address import AnnounceAddress, BoundSocket
Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
BoundSocket(AnnounceAddress(Path(sys.argv[1])))
"""


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A path for a socket, which may not be long."""
    monkeypatch.chdir(tmp_path)
    return Path("a.sock")


def killed(path: Path, program: str = _KILLED) -> None:
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert done.returncode < 0


def names(path: Path) -> list[str]:
    return sorted(each.name for each in path.absolute().parent.iterdir())


def test_leaves_nothing_behind(path: Path) -> None:
    """While it lasts there are a socket and a lock; afterwards nothing."""
    bound = BoundSocket(AnnounceAddress(path))
    assert ["a.sock", "a.sock.lock"] == names(path)
    bound.close()
    bound.close()
    assert [] == names(path)


@pytest.mark.parametrize("program", [_KILLED, _KILLED_EARLY])
def test_taken_over_from_a_killed_run(program: str, path: Path) -> None:
    """What a killed run left is replaced, at whatever moment it died."""
    killed(path, program)
    assert "a.sock.lock" in names(path)
    with pytest.raises(NobodyListens):
        announce(path, Path("a.txt"), SystemClock(), 1.0)
    with closing(BoundSocket(AnnounceAddress(path))), socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
    assert [] == names(path)


def test_second_run_is_refused(path: Path) -> None:
    """One run listens at a path; the second is told which process, and disturbs nothing."""
    with closing(BoundSocket(AnnounceAddress(path))):
        with pytest.raises(Busy, match=f"process {os.getpid()} listens"):
            BoundSocket(AnnounceAddress(path))
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
    with closing(BoundSocket(AnnounceAddress(path))):
        assert "a.sock" in names(path)


def test_other_program_listens(path: Path) -> None:
    """A socket at which somebody else listens is left alone, even beside a lock that a run of ours left."""
    killed(path)
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with pytest.raises(Busy, match="another program"):
            BoundSocket(AnnounceAddress(path))
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))


def test_dead_socket_of_another_program(path: Path) -> None:
    """A dead socket that no run of ours left isn't ours to remove."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    with pytest.raises(ConfigError, match=r"rm 'a\.sock'"):
        BoundSocket(AnnounceAddress(path))
    assert ["a.sock"] == names(path)


def test_other_file(path: Path) -> None:
    """A path at which a file lies is refused, and the file stays."""
    path.write_text("precious")
    with pytest.raises(ConfigError, match="nothing else lies"):
        AnnounceAddress(path)
    assert "precious" == path.read_text()


def test_socket_that_isnt_ours_any_more(path: Path) -> None:
    """At the end, a socket that somebody else has put there meanwhile stays."""
    bound = BoundSocket(AnnounceAddress(path))
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        bound.close()
        assert ["a.sock"] == names(path)


def test_path_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says how long a path may be; a path of that length is taken."""
    with pytest.raises(ConfigError, match=r"at most \d+ bytes") as caught:
        AnnounceAddress(tmp_path / ("a" * 100))
    room = int(caught.value.valid.split()[2])
    monkeypatch.chdir(tmp_path)
    with closing(BoundSocket(AnnounceAddress(Path("a" * room)))):
        assert "a" * room in names(Path("x"))
    with pytest.raises(ConfigError):
        AnnounceAddress(Path("a" * (room + 1)))
    with pytest.raises(ConfigError, match="at most"):
        announce(tmp_path / ("a" * 100), Path("a.txt"), SystemClock(), 1.0)


def test_folder_that_isnt_there() -> None:
    """The message says how to make it."""
    with pytest.raises(ConfigError, match="mkdir -p 'no/such'"):
        AnnounceAddress(Path("no/such/a.sock"))


def test_unknown_group(path: Path) -> None:
    """A group that the system doesn't know is wrong use."""
    with pytest.raises(ConfigError, match="--announce-group"):
        AnnounceAddress(path, "no-such-group")


def test_group(path: Path) -> None:
    """With a group the socket is its, and its members may connect; others may not."""
    group = os.getgroups()[0] if os.getgroups() else os.getgid()
    with closing(BoundSocket(AnnounceAddress(path, str(group)))):
        found = path.lstat()
        assert (group, 0o660) == (found.st_gid, stat.S_IMODE(found.st_mode))


def test_without_unix_sockets(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Python has none, both sides say so."""
    monkeypatch.delattr(socket, "AF_UNIX")
    with pytest.raises(ConfigError, match="left out on this system"):
        AnnounceAddress(path)
    with pytest.raises(ConfigError, match="left out on this system"):
        announce(path, Path("a.txt"), SystemClock(), 1.0)


def test_nobody_listens(path: Path) -> None:
    """The client says that nobody is there, and that nothing is lost."""
    with pytest.raises(NobodyListens, match=r"a\.sock") as caught:
        announce(path, Path("a.txt"), SystemClock(), 1.0)
    assert "look into the folder" in caught.value.hint
