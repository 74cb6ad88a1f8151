"""What the folder on a server can be asked, whichever protocol answers."""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from qanat.errors import Retryable


class Unreachable(Retryable):
    """The server can't be reached, or the connection broke. It is tried again."""


class NotAllowed(Retryable):
    """The server refuses; somebody has to give us the right."""


class CannotResume(Retryable):
    """The server doesn't give a file from the middle on; it has to be fetched from its start."""


class Entry(NamedTuple):
    """A regular file on the server.

    Attributes:
        name: As the server gave it, with surrogates for bytes that aren't UTF-8.
        mtime_ns: By the server's clock; whole seconds, as a rule.
    """

    name: str
    size: int
    mtime_ns: int


class RemoteServer(Protocol):
    """One connection, and one folder on its other end. Every path is relative to that folder.

    One thread uses it; `abort` may be called by any. After `Unreachable` it is of no more use.
    Every method may raise `Unreachable` or, where the server refuses for now, another `Retryable`.
    """

    def entries(self) -> list[Entry]:
        """List the regular files of the folder."""
        ...

    def entry(self, path: str) -> Entry | None:
        """Look at one file; None when there is no regular file of that name."""
        ...

    def read(self, path: str, offset: int, size: int) -> Iterator[bytes]:
        """Yield the bytes from `offset` up to `size`, fewer when the server ends before.

        Raises:
            FileNotFoundError: There is no such file.
            CannotResume: The server only reads from the start.
        """
        ...

    def rename(self, old: str, new: str) -> None:
        """Rename without overwriting, as far as the server allows.

        Raises:
            FileExistsError: The new name is taken.
            FileNotFoundError: The old one is gone.
        """
        ...

    def remove(self, path: str) -> None:
        """Delete a file; harmless when it is gone."""
        ...

    def make_folder(self, name: str) -> None:
        """Make a folder; harmless when it is there."""
        ...

    def abort(self) -> None:
        """Let what goes on fail, whichever thread is in it; `close` is still to be called."""
        ...

    def close(self) -> None:
        """End the connection; twice is harmless."""
        ...


Connect = Callable[[], RemoteServer]
"""Makes a connection.

Raises:
    ConfigError: The server isn't the one we know, refuses us, or has no such folder.
    Unreachable: It doesn't answer.
"""
