"""A note in the folder of how far each store has counted, so that a database restored from an older
backup is noticed.

Written after the commit and before the file moves, atomically and without fsync: a note that is
lost or old only means that an older backup may go unnoticed; one that is too new can't be, as the
commit came first.
"""

import hashlib
import re
from pathlib import Path
from uuid import uuid4

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
        self._folder.mkdir(parents=True, exist_ok=True)
        note = self._note(store_identity)
        temporary = note.with_name(f".{note.name}.{uuid4().hex}")
        try:
            temporary.write_text(f"{counted}\n", encoding="ascii")
            temporary.replace(note)
        finally:
            temporary.unlink(missing_ok=True)

    def remembered(self, store_identity: str) -> int:
        """Return the greatest number that was noted for the store, 0 if there is none."""
        try:
            return int(self._note(store_identity).read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):  # ValueError: emptied by a power failure
            return 0

    def _note(self, store_identity: str) -> Path:
        name = store_identity
        if not _PLAIN_NAME.fullmatch(name):
            name = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()
        return self._folder / f"counted-{name}"
