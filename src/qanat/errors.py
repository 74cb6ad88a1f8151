"""Errors, grouped by what happens next and not by where they arose.

The class docstring is the default message. `exit_code` is what the command ends with.
"""

from collections.abc import Sequence
from typing import ClassVar


class QanatError(Exception):
    """Something went wrong."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str = "", *, hint: str = "") -> None:
        self.message = message or (type(self).__doc__ or "").splitlines()[0]
        self.hint = hint
        super().__init__(self.message)

    def __str__(self) -> str:
        """The message, and on a line of its own what to do next."""
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class ConfigError(QanatError):
    """A setting or an argument can't be used. Raised before anything is changed."""

    exit_code: ClassVar[int] = 2

    def __init__(self, setting: str, got: object, valid: str, hint: str = "") -> None:
        self.setting = setting
        self.got = got
        self.valid = valid
        super().__init__(f"{setting} is {got!r}; it has to be {valid}.", hint=hint)


class MissingExtra(QanatError):
    """A driver isn't installed."""

    exit_code: ClassVar[int] = 2

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(
            f"the module {module!r} isn't installed.",
            hint=f"Install it with: pip install 'qanat[{extra}]'",
        )


class Refused(QanatError):
    """The pipeline isn't started: as declared it would count twice, or lose."""

    exit_code: ClassVar[int] = 2

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("refused before the start:\n" + "\n".join(f"- {r}" for r in reasons))


class Retryable(QanatError):
    """It failed for now. The runtime rolls back, waits `after_s` and does the batch again."""

    def __init__(self, message: str, *, after_s: float = 0.2, hint: str = "") -> None:
        self.after_s = after_s
        super().__init__(message, hint=hint)


class Fenced(QanatError):
    """Another instance has moved this stage on. Nothing was written; the runtime reloads progress."""


class CommitUnknown(QanatError):
    """The reply to COMMIT was lost. The runtime asks for the outcome by commit id."""


class TooLarge(QanatError):
    """The transaction doesn't fit. The runtime halves the batch."""


class Fatal(QanatError):
    """The stage stops: doing it again can't help."""


class Busy(Fatal):
    """Another process holds what this one needs. Nothing was changed."""


class SourceLost(Fatal):
    """The source is another one than before, or its history no longer reaches back."""


class NotAccepted(QanatError):
    """What somebody handed over can't be taken as it is. Nothing was changed.

    Attributes:
        reason: One word, for programs.
    """

    def __init__(self, reason: str, message: str = "", *, hint: str = "") -> None:
        self.reason = reason
        super().__init__(message, hint=hint)


class BadFile(QanatError):
    """A file can't be read as what it claims to be. It fails; none of its lines count."""


class FileChanged(BadFile):
    """The file isn't the one that was registered: it was written to, truncated or replaced."""


class FileVanished(BadFile):
    """The file is gone."""
