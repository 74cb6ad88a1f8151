"""An announcement is answered before the file is registered."""

import threading
import time

from qanat.errors import QanatError
from qanat.runtime.announce import Announcements
from qanat.runtime.announce_words import Answer, Word
from tests.faults.broken.breaking import replaced

_registered = Announcements._registered


def registered(self: Announcements, name: str) -> Answer:
    """Say that it is, and see to it a moment later."""
    threading.Thread(target=_afterwards, args=(self, name), daemon=True).start()
    return Answer(Word.OK, state="registered", name=name)


def _afterwards(self: Announcements, name: str) -> None:
    time.sleep(0.3)
    try:
        _registered(self, name)
    except QanatError:
        return


def break_it() -> None:
    """Break this process."""
    replaced(Announcements, "_registered", registered)
