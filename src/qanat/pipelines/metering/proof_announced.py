"""The files of a proof that are announced: which of them have a receipt, and which a run may not know."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from qanat.clock import SystemClock
from qanat.runtime.announce_client import NoAnswer, NobodyListens, announce
from qanat.runtime.announce_words import Word
from qanat.runtime.owner_address import SOCKET_PATH_BYTES_MAX
from qanat.runtime.registry import Queries

# A registration waits for the commit of a small file at most.
_ANSWER_S_MAX: Final = 60.0
_SOCKET: Final = "announce.sock"
# A scenario's folder within the proof's, and what is beside the socket.
_NAME_BYTES_MAX: Final = 40


def can_announce(folder: Path) -> bool:
    """Tell whether a socket can be made in a folder of a scenario within `folder`."""
    room = SOCKET_PATH_BYTES_MAX - len(os.fsencode(folder.absolute()))
    return hasattr(socket, "AF_UNIX") and room >= _NAME_BYTES_MAX


class Receipts:
    """The receipts of the files of one ground.

    Args:
        place: The ground's folder.
        finds: Runs find the files by themselves as well; otherwise they know what was announced alone.
    """

    def __init__(self, place: Path, *, finds: bool) -> None:
        self._socket = place / _SOCKET
        self._finds = finds
        self._owed: list[Path] = []

    def owe(self, file: Path) -> None:
        """`file` was handed over."""
        self._owed.append(file)

    def settings(self) -> Mapping[str, object]:
        """Return the settings of a run that can be announced to."""
        # Without side files there is nothing that a look into the folder would take.
        ready = "rename" if self._finds else "side-file"
        return {"announce": self._socket, "ready": ready}

    def announce(self) -> int:
        """Announce what has no receipt; return how many have none still."""
        owed, self._owed = self._owed, []
        clock = SystemClock()
        for number, file in enumerate(owed):
            try:
                answer = announce(self._socket, file, clock, _ANSWER_S_MAX)
            except (NobodyListens, NoAnswer):
                self._owed += owed[number:]
                break
            if answer.answer is not Word.OK:
                self._owed.append(file)
        return len(self._owed)

    def unknown(self, store: Queries) -> frozenset[str]:
        """Return the names of the files that no run may know, and none does: they have no receipt."""
        if self._finds:
            return frozenset()
        rows = store.query("select name from files").column("name").to_pylist()
        return frozenset(file.name for file in self._owed) - frozenset(rows)
