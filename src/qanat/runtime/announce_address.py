"""The socket's path: checked before anything is changed, claimed by one run at a time, taken over
from one that was killed.

Beside the socket lies `PATH.lock`, held as long as the run lives. The socket is made under another
name and renamed when it listens and has its mode: whoever sees the path can connect, and nobody who
mustn't can. Both are removed at the end.
"""

import os
import socket
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from qanat.errors import Busy, ConfigError
from qanat.runtime.owner_address import SOCKET_PATH_BYTES_MAX

# Writers that wait for one of the run's threads; further ones wait in connect().
BACKLOG = 128
# Whoever listens takes a connection at once, or has a queue of them.
PROBE_TIMEOUT_S = 1.0

_OPTION = "--announce"


@dataclass(frozen=True, slots=True)
class AnnounceAddress:
    """Where a run listens, checked when it is made.

    Attributes:
        group: Whose members may announce; empty for nobody but the user of the run.

    Raises:
        ConfigError: It can't listen there.
    """

    path: Path
    group: str = ""

    def __post_init__(self) -> None:
        """Refuse what can't work."""
        check_system(self.path)
        given = self.path
        if len(os.fsencode(self.draft)) > SOCKET_PATH_BYTES_MAX:
            room = SOCKET_PATH_BYTES_MAX - len(os.fsencode(self.draft)) + len(os.fsencode(given))
            raise ConfigError(
                _OPTION, str(given), f"at most {room} bytes long",
                "The system takes no longer ones for sockets. A path relative to the current folder may be shorter.",
            )  # fmt: skip
        if not given.parent.is_dir():
            hint = f"Create it: mkdir -p '{given.parent}'"
            raise ConfigError(_OPTION, str(given), "a path in a folder that is there", hint)
        if os.path.lexists(given) and not _is_socket(given):
            raise ConfigError(_OPTION, str(given), "a path at which nothing else lies")
        if self.group:
            self.group_id()

    @property
    def draft(self) -> Path:
        """The socket's name until it listens."""
        return self.path.with_name(f"{self.path.name}.new")

    @property
    def lock(self) -> Path:
        """The file that tells whose the path is."""
        return self.path.with_name(f"{self.path.name}.lock")

    def group_id(self) -> int:
        """Return the number of the group."""
        import grp

        try:
            return int(self.group) if self.group.isdigit() else grp.getgrnam(self.group).gr_gid
        except KeyError as error:
            raise ConfigError(
                "--announce-group", self.group, "the name or number of a group of this system"
            ) from error


class BoundSocket:
    """A socket that listens at its path, until it is closed.

    Raises:
        Busy: Another run listens there.
        ConfigError: What lies there isn't ours to take over; the socket can't be made.
    """

    def __init__(self, address: AnnounceAddress) -> None:
        self._address = address
        self._lock, ours = _locked(address.lock)
        try:
            _demand_free(address.path, ours=ours)
            self.listener = self._bound()
        except BaseException:
            self._unlock()
            raise

    def close(self) -> None:
        """Stop listening, and leave nothing behind; twice is harmless."""
        if self._lock < 0:
            return
        self.listener.close()
        with suppress(FileNotFoundError):  # somebody has removed it
            if self._address.path.lstat().st_ino == self._inode:
                self._address.path.unlink()
        self._unlock()

    def _bound(self) -> socket.socket:
        draft, group = self._address.draft, self._address.group
        if _is_socket(draft):  # of a run that was killed here
            draft.unlink()
        listener = socket.socket(socket.AF_UNIX)
        try:
            listener.bind(str(draft))
            if group:
                os.chown(draft, -1, self._address.group_id())
            draft.chmod(0o660 if group else 0o600)
            listener.listen(BACKLOG)
            self._inode = draft.lstat().st_ino
            draft.replace(self._address.path)
        except OSError as error:
            listener.close()
            raise ConfigError(
                _OPTION, str(self._address.path), f"where a socket can be made ({error.strerror})",
                "It takes a local folder that this user may write to, and membership in the group, if one is given.",
            ) from error  # fmt: skip
        return listener

    def _unlock(self) -> None:
        # Before the lock ends: who waits for it then sees that its file is gone, and makes a new one.
        self._address.lock.unlink(missing_ok=True)
        os.close(self._lock)
        self._lock = -1


def check_system(path: Path) -> None:
    """Raise ConfigError where Python has no UNIX sockets."""
    if not hasattr(socket, "AF_UNIX"):
        raise ConfigError(
            _OPTION, str(path), "left out on this system",
            "Python has no UNIX sockets here (Windows). Files are found in the folder without it.",
        )  # fmt: skip


def _locked(place: Path) -> tuple[int, bool]:
    """Lock the file at `place`; return its descriptor, and whether it was there: a run that was killed left it."""
    import fcntl

    while True:
        descriptor, there = _opened(place)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), place.lstat()):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"{os.getpid()}\n".encode())
                return descriptor, there
        except BlockingIOError as error:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise Busy(
                f"process {holder or 'unknown'} listens at {place.with_suffix('')}.",
                hint="One run listens at a path: give this one another --announce.",
            ) from error
        except FileNotFoundError:
            pass  # its holder has ended and removed it: there is a new one to be made
        os.close(descriptor)


def _opened(place: Path) -> tuple[int, bool]:
    flags = os.O_RDWR | os.O_NOFOLLOW
    while True:
        try:
            return os.open(place, flags | os.O_CREAT | os.O_EXCL, 0o600), False
        except FileExistsError:
            with suppress(FileNotFoundError):
                return os.open(place, flags), True
        except OSError as error:
            raise ConfigError(
                _OPTION, str(place.with_suffix("")), "in a folder that this user may write to",
                f"{place} can't be made: {error.strerror}.",
            ) from error  # fmt: skip


def _demand_free(path: Path, *, ours: bool) -> None:
    """Let a dead socket be replaced that a killed run of this user left, and nothing else."""
    if not os.path.lexists(path):
        return
    if _answers(path):
        raise Busy(f"another program listens at {path}.", hint="Give this run another --announce.")
    if not (ours and _is_socket(path) and path.lstat().st_uid == os.geteuid()):
        raise ConfigError(
            _OPTION, str(path), "a path at which nothing lies that another program left",
            f"If nobody needs it any more: rm '{path}'",
        )  # fmt: skip


def _answers(path: Path) -> bool:
    """Tell whether somebody listens; also when that can't be known."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PROBE_TIMEOUT_S)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
    return True


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.lstat().st_mode)
    except FileNotFoundError:
        return False
