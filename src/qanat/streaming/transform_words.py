"""What a run and a process that transforms for it tell each other, a line each; rows go through memory that they share."""

import signal
import socket
from datetime import datetime
from typing import TypeAlias

import msgspec

SIGNALS = frozenset(each for each in signal.Signals if each.name in {"SIGINT", "SIGTERM", "SIGHUP"})
"""What may go to the process as well when the run is to end, by Ctrl-C for one; the run alone decides when that is."""

_PIECE_BYTES = 64 << 10


class Ready(msgspec.Struct, tag=True, frozen=True):
    """The process has found the function.

    Attributes:
        file: That of the function's module; empty when it has none.
        changed_at: When the newest of all files was changed that the process has imported, in seconds since 1970.
    """

    file: str
    changed_at: float


class Given(msgspec.Struct, tag=True, frozen=True):
    """A batch is in the memory.

    Attributes:
        length: Its bytes there.
        judged_at: The time at which it is judged.
    """

    length: int
    judged_at: datetime


class Made(msgspec.Struct, tag=True, frozen=True):
    """What was made of it is in the other memory: the rows, and behind them what was rejected.

    Attributes:
        rows: Bytes of the rows.
        rejected: Bytes of what was rejected; None when the transform gave no table of that.
    """

    rows: int
    rejected: int | None


class Failed(msgspec.Struct, tag=True, frozen=True):
    """It didn't work.

    Attributes:
        reason: Why, without anything of the rows.
    """

    reason: str


Word: TypeAlias = Ready | Given | Made | Failed

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Word] = msgspec.json.Decoder(Word)


class Channel:
    """One end of the line. One thread says, one hears."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._heard = b""

    def say(self, word: Word) -> None:
        """Send a word.

        Raises:
            EOFError: The other end is gone.
        """
        try:
            self._end.sendall(_ENCODER.encode(word) + b"\n")
        except (BrokenPipeError, ConnectionError) as error:
            raise EOFError from error

    def hear(self, timeout_s: float | None = None) -> Word | None:
        """Return the next word; None when none came within `timeout_s`.

        Raises:
            EOFError: The other end is gone.
        """
        self._end.settimeout(timeout_s)
        try:
            while b"\n" not in self._heard:
                piece = self._end.recv(_PIECE_BYTES)
                if not piece:
                    raise EOFError
                self._heard += piece
        except (BlockingIOError, TimeoutError):
            return None
        except ConnectionError as error:
            raise EOFError from error
        line, _, self._heard = self._heard.partition(b"\n")
        return _DECODER.decode(line)

    def close(self) -> None:
        """Hang up."""
        self._end.close()
