"""A run as a service: stopped and reloaded by signals, watched, and known to its manager."""

import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from qanat.service.notify import Notifier
from qanat.service.reload import Reloading
from qanat.service.signals import handled
from qanat.service.stopping import Stopping
from qanat.service.watch import Watch

S = TypeVar("S", bound=msgspec.Struct)


class Service:
    """What a run shows of itself to the outside.

    Attributes:
        stopping: Whether, and until when, it is to end.
        notifier: Its manager; one that hears nothing where there is none.
    """

    def __init__(self, stop: threading.Event, stop_timeout_s: float) -> None:
        self.notifier = Notifier.from_environment(os.environ)
        self.stopping = Stopping(stop, stop_timeout_s, self._told_to_stop)
        self._watch: Watch | None = None
        self._reload: Callable[[], None] | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Obey signals until the end of the context."""
        if self.notifier.listening:
            # A watchdog ends us by SIGABRT: then the log says where each thread was.
            faulthandler.enable()
        try:
            with handled(self._handlers()):
                yield
        finally:
            self.stopping.over()
            self.notifier.close()

    def reloads(
        self,
        settings: S,
        read: Callable[[], S],
        apply: Callable[[S], None],
        reloadable: Collection[str],
    ) -> None:
        """From now on SIGHUP reads the settings again (see `Reloading`)."""
        self._reload = Reloading(settings, read, apply, reloadable, self.notifier).reload

    @contextmanager
    def watched(self, watch: Watch) -> Iterator[None]:
        """Have `watch` look until the end of the context."""
        self._watch = watch
        with watch.watching():
            yield

    def _handlers(self) -> dict[int, Callable[[], None]]:
        handlers: dict[int, Callable[[], None]] = {
            signal.SIGINT: lambda: self.stopping.ask(signal.SIGINT),
            signal.SIGTERM: lambda: self.stopping.ask(signal.SIGTERM),
        }
        if sys.platform != "win32":
            handlers[signal.SIGHUP] = self._hung_up
        return handlers

    def _hung_up(self) -> None:
        """A terminal that closes ends what was started in it; whoever has none is asked to reload."""
        if has_terminal():
            self.stopping.ask(signal.SIGHUP)
        elif self._watch is not None and self._reload is not None and not self.stopping.asked:
            with self._watch.reloading():
                self._reload()

    def _told_to_stop(self) -> None:
        if self._watch is not None:
            self._watch.stopping()
        else:
            self.notifier.stopping()


def has_terminal() -> bool:
    """Tell whether this process has a terminal whose closing would mean it."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
