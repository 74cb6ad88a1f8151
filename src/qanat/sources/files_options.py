"""What can be asked of a watched folder, and the checks that come before anything is changed."""

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

from qanat.errors import ConfigError

Outcome = Literal["done", "failed"]
"""How a file ended."""

PRIVATE: Final = ".qanat"
"""The folder inside the watched one for claims, the journal and files that are being moved."""


class Ready(StrEnum):
    """How a writer says that a file is finished.

    Attributes:
        RENAME: It gives the final name last. Where the system can be asked, a file that somebody
            still has open for writing isn't read either; where it can't, one that wasn't visibly
            renamed has to rest first (see `files_ready`).
        SIDE_FILE: It writes `NAME.meta.json` with the file's size and digest.
        REST: It doesn't say; a file whose size and time of change rested for `rest_s` is taken for
            finished. A heuristic: an upload that stalls for longer is read too early.
    """

    RENAME = "rename"
    SIDE_FILE = "side-file"
    REST = "rest"


class After(StrEnum):
    """What happens to a file after its commit. Failed files go to `failed`, except under KEEP.

    Attributes:
        MOVE: It moves to `done`.
        KEEP: Nothing in the folder is touched, failed files neither.
        DELETE: It is deleted.
    """

    MOVE = "move"
    KEEP = "keep"
    DELETE = "delete"


class Watch(StrEnum):
    """How new files are noticed.

    Attributes:
        AUTO: By events, and by polling on a network mount or where the system has no watch left to
            give.
        EVENTS: By events.
        POLL: By looking every `poll_s`.
    """

    AUTO = "auto"
    EVENTS = "events"
    POLL = "poll"


@dataclass(frozen=True, slots=True)
class FolderOptions:
    """Which folder, which of its files, and what becomes of them. Sub-folders and symbolic links
    are never looked into.

    Attributes:
        path: The folder.
        pattern: Of the names, with `*`, `?` and `[…]`.
        rest_s: How long a file has to rest where rest is the only evidence, in seconds.
        done: Where counted files go; `path`/done by default.
        failed: Where failed files go; `path`/failed by default.
        poll_s: Seconds between two looks where there are no events, and while a file is there that
            isn't finished.
    """

    path: Path
    pattern: str = "*"
    ready: Ready = Ready.RENAME
    rest_s: float = 10.0
    after: After = After.MOVE
    done: Path | None = None
    failed: Path | None = None
    poll_s: float = 1.0
    watch: Watch = Watch.AUTO

    def target(self, outcome: Outcome) -> Path:
        """Return the folder to which files with that outcome are moved."""
        chosen = self.done if outcome == "done" else self.failed
        return chosen if chosen is not None else self.path / outcome

    def check(self) -> None:
        """Refuse what can't work.

        Raises:
            ConfigError: The folder is missing, can't be read, or files couldn't be moved out of it;
                a value makes no sense.
        """
        self._check_values()
        self._check_folder()
        if self.after is not After.KEEP:
            self._check_targets()

    def _check_values(self) -> None:
        for name in ("rest_s", "poll_s"):
            if not getattr(self, name) > 0:
                raise ConfigError(name, getattr(self, name), "above 0 seconds")
        if not self.pattern or "/" in self.pattern or (os.sep in self.pattern):
            raise ConfigError(
                "pattern", self.pattern, "a pattern of file names, such as '*.txt'",
                "Sub-folders aren't looked into; give the folder itself as input.",
            )  # fmt: skip

    def _check_folder(self) -> None:
        path = self.path
        if not path.is_dir():
            kind = "an existing folder"
            hint = f"It is no folder: {path}" if path.exists() else f"Create it: mkdir -p '{path}'"
            raise ConfigError("input", str(path), kind, hint)
        if not os.access(path, os.R_OK | os.X_OK):
            raise ConfigError("input", str(path), "a folder that this user may read")
        if self.after is not After.KEEP and not os.access(path, os.W_OK):
            raise ConfigError(
                "input", str(path), "a folder that this user may write to",
                "Counted files are moved out of it. To leave them where they are: after = keep.",
            )  # fmt: skip

    def _check_targets(self) -> None:
        folders = {"input": self.path, "done": self.target("done"), "failed": self.target("failed")}
        seen: dict[Path, str] = {(self.path / PRIVATE).resolve(): "Qanat's own"}
        for name, folder in folders.items():
            other = seen.setdefault(folder.resolve(), name)
            if other != name:
                raise ConfigError(name, str(folder), f"another folder than {other}")
            existing = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
            if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
                raise ConfigError(
                    name, str(folder), "a folder that is there or can be made, and written to",
                    f"What stands in the way is {existing}.",
                )  # fmt: skip
