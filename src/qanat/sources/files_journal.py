"""A note in the folder of how far each store has counted: an older database is noticed by it.

Written after the commit and before the file moves, in place and without fsync: a note that is lost
or old only means that a database restored from an older backup may go unnoticed. One that is too
new would be a false alarm; so the number comes with its checksum, and half a note counts as none.
"""

import hashlib
import os
import re
import zlib
from pathlib import Path

from qanat.sources.files_options import PRIVATE

_PLAIN_NAME = re.compile(r"[0-9A-Za-z-]{1,64}")


class Journal:
    """The notes in one folder. Any thread may use it."""

    def __init__(self, path: Path) -> None:
        self._folder = path / PRIVATE

    def remember(self, store_identity: str, counted: int) -> None:
        """Note that the store's `counted`th file is counted, unless a later one is noted."""
        if self.remembered(store_identity) >= counted:
            return
        self._folder.mkdir(exist_ok=True)
        # Always of one length, in one write: 0.03 ms, where a new file and a rename take 0.7 ms.
        flags = os.O_WRONLY | os.O_CREAT
        descriptor = os.open(self._note(store_identity), flags, 0o644)
        try:
            os.write(descriptor, _line(counted))
        finally:
            os.close(descriptor)

    def remembered(self, store_identity: str) -> int:
        """Return the greatest number that was noted for the store, 0 if there is none."""
        try:
            content = self._note(store_identity).read_bytes()
            counted = int(content.partition(b" ")[0])
        except (FileNotFoundError, ValueError):
            return 0
        return counted if content == _line(counted) else 0

    def _note(self, store_identity: str) -> Path:
        name = store_identity
        if not _PLAIN_NAME.fullmatch(name):
            name = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()
        return self._folder / f"counted-{name}"


def _line(counted: int) -> bytes:
    number = b"%020d" % counted
    return b"%b %08x\n" % (number, zlib.crc32(number))
