"""Reading the settings again: which of them can change while a run goes on, and what becomes of the others."""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from qanat.errors import ConfigError, QanatError
from qanat.service.notify import Notifier
from qanat.settings import FILE, fields
from qanat.telemetry import log

S = TypeVar("S", bound=msgspec.Struct)


@dataclass(slots=True)
class Reloading(Generic[S]):
    """Carries out reloads. One thread calls it.

    Attributes:
        settings: Those in force, of which `reloadable` are the latest.
        read: Reads all of them again; ConfigError when there is a mistake.
        reloadable: The names of those that `apply` can change.
    """

    settings: S
    read: Callable[[], S]
    apply: Callable[[S], None]
    reloadable: Collection[str]
    notifier: Notifier

    def reload(self) -> None:
        """Take over what changed. A mistake changes nothing and is told; so is what needs a new start."""
        try:
            self._take(self.read())
        except (QanatError, OSError, ValueError) as error:
            reason = _told(error)
            log("settings.refused", level=logging.ERROR, reason=reason)
            self.notifier.status(f"new settings refused: {reason}")

    def _take(self, new: S) -> None:
        names = [field.name for field in fields(type(new))]
        changed = [name for name in names if getattr(new, name) != getattr(self.settings, name)]
        taken = [name for name in changed if name in self.reloadable]
        waiting = [name for name in changed if name not in self.reloadable]
        if taken:
            values = {name: getattr(new, name) for name in taken}
            merged = msgspec.structs.replace(self.settings, **values)
            self.apply(merged)
            self.settings = merged
        log("settings.reloaded", level=logging.WARNING, changed=",".join(taken) or "nothing")
        if waiting:
            log("settings.need_restart", level=logging.WARNING, names=",".join(waiting))


def _told(error: Exception) -> str:
    """Say what is wrong without the value: it may be an address with a password."""
    if isinstance(error, ConfigError):
        return f"{error.setting} has to be {error.valid}"
    return f"{FILE} can't be read ({getattr(error, 'strerror', None) or type(error).__name__})"
