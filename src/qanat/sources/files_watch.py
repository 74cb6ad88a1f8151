"""Waiting until something changes in a folder: by the system's events, or just by waiting.

Events come from `watchfiles`. No thread is left behind after `close`.
"""

import os
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from qanat.errors import ConfigError

if TYPE_CHECKING:
    from watchfiles import Change

    Changes = Generator[set[tuple[Change, str]], None, None]

# The library looks for events every step, and gathers them until a step brings none, for at most
# the time of gathering: a file is noticed 20 to 50 ms after it came, and waiting takes less than 1 %
# of a core.
_STEP_MS: Final = 20
_GATHER_MS: Final = 50
# How long the library is waited for before we look whether to wake up.
_SLICE_MS: Final = 50


class Watcher(Protocol):
    """Waits for changes in one folder. Any thread may wait; each is told of each change once."""

    polling: bool
    """True when it knows of no events: whoever waits has to look by himself."""

    def wait(self, timeout_s: float) -> bool:
        """Return True as soon as something may have changed since this thread was last told, or
        `wake` was called; False after `timeout_s`.
        """
        ...

    def wake(self) -> None:
        """End the waits that are going on, and of other threads the next one."""
        ...

    def close(self) -> None:
        """Stop watching, and end all waits; closing twice is harmless."""
        ...


class PollWatcher:
    """Knows of no events."""

    polling = True

    def __init__(self) -> None:
        self._news = _News()

    def wait(self, timeout_s: float) -> bool:
        """Return True if woken within `timeout_s`."""
        return self._news.wait(timeout_s)

    def wake(self) -> None:
        """End the waits."""
        self._news.tell()

    def close(self) -> None:
        """End the waits."""
        self._news.tell()


class EventWatcher:
    """Waits for the system's events.

    The first wait returns at once: what came before watching began has to be looked for. So does
    the first one after the folder was replaced (unmounted and mounted again), whose events would go
    unnoticed otherwise.

    Args:
        path: The folder.
        relevant: Whether a changed name (without folder) can be input.
        quiet_s: A file that is being written to reports changes all the time; it is worth a look
            only this often.
        required: Whether it is an error when the system has no watch to give (their number is
            limited). Otherwise polling.
    """

    def __init__(
        self, path: Path, relevant: Callable[[str], bool], quiet_s: float, *, required: bool
    ) -> None:
        self.polling = False
        self._path = path
        self._relevant = relevant
        self._quiet_s = quiet_s
        self._required = required
        self._changes: Changes | None = None
        self._watched: tuple[int, int] | None = None
        self._touched_at_s: float | None = None
        self._resumes_at_s = 0.0
        self._news = _News()
        self._closed = False
        # Of the threads that wait, one asks the library, for all of them.
        self._asking = threading.Lock()

    def wait(self, timeout_s: float) -> bool:
        """Wait for an event; see `Watcher`. May take 0.05 s longer than `timeout_s`.

        Raises:
            ConfigError: The system has no watch left to give, and events were demanded.
        """
        deadline_s = time.monotonic() + timeout_s
        while not self._closed:
            asked = self._asking.acquire(blocking=False)
            if asked:
                try:
                    self._ask()
                finally:
                    self._asking.release()
            left_s = deadline_s - time.monotonic()
            # Whoever asked the library has waited there.
            pause_s = 0.0 if asked and self._changes else min(left_s, _SLICE_MS / 1000)
            if self._news.wait(pause_s):
                return True
            if left_s <= 0:
                return False
        return True

    def wake(self) -> None:
        """End the waits."""
        self._news.tell()

    def close(self) -> None:
        """Stop watching, after ending all waits."""
        self._closed = True
        self._news.tell()
        with self._asking:
            self._stop()

    def _ask(self) -> None:
        """Let the library look for events, for one slice of time."""
        if self._renewed() or (self._changes and self._changed(self._changes)):
            self._news.tell()

    def _changed(self, changes: "Changes") -> bool:
        """Take the events of one slice; tell whether one of them is a reason to look."""
        from watchfiles import Change

        now_s = time.monotonic()
        try:
            events = next(changes)
        except (RuntimeError, StopIteration):
            # It gives up over a name that isn't UTF-8, and after an interrupt.
            self._stop()
            self._resumes_at_s = now_s + self._quiet_s
            return True
        for change, place in events:
            name = os.path.basename(place)  # noqa: PTH119 - text, as the library gives it
            if change is Change.deleted or not self._relevant(name):
                continue
            if change is Change.added:
                return True
            self._touched_at_s = self._touched_at_s or now_s
        if self._touched_at_s is None or now_s - self._touched_at_s < self._quiet_s:
            return False
        self._touched_at_s = None
        return True

    def _renewed(self) -> bool:
        """Begin to watch if we don't; tell whether we have just begun."""
        present = _identity(self._path)
        if self.polling or present == self._watched or time.monotonic() < self._resumes_at_s:
            return False
        self._stop()
        if present is None:
            return False
        self._start()
        self._watched = present
        return True

    def _start(self) -> None:
        from watchfiles import watch

        changes = watch(
            self._path,
            watch_filter=None,
            debounce=_GATHER_MS,
            step=_STEP_MS,
            rust_timeout=_SLICE_MS,
            yield_on_timeout=True,
            force_polling=False,
            recursive=False,
        )
        try:
            next(changes)  # watching begins here; what it brings is found by the look that follows
        except (RuntimeError, OSError) as error:
            if self._required:
                raise ConfigError(
                    "watch", "events", "auto or poll here",
                    f"The system gives no watch ({error}). "
                    "On Linux raise fs.inotify.max_user_instances.",
                ) from error  # fmt: skip
            self.polling = True
            return
        self._changes = changes

    def _stop(self) -> None:
        if self._changes is not None:
            self._changes.close()
        self._changes = None
        self._watched = None


class _News:
    """Tells each waiting thread of each piece of news once, however late it comes to ask."""

    def __init__(self) -> None:
        self._told = threading.Condition()
        self._count = 0
        self._seen = threading.local()

    def tell(self) -> None:
        with self._told:
            self._count += 1
            self._told.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Return True as soon as there is news for this thread, False after `timeout_s`."""
        seen: int = getattr(self._seen, "count", 0)
        with self._told:
            fresh = self._told.wait_for(lambda: self._count > seen, timeout_s)
            self._seen.count = self._count
        return fresh


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
