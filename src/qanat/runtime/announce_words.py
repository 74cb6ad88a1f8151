"""What is said when a file is announced: one line in, one line out.

In: the file's path and a newline, as the system's bytes; or, if the line begins with `{`, JSON,
`{"file": PATH}`, which can hold any name. Out: a JSON object and a newline (see `Answer`).
"""

import json
import os
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from qanat.errors import NotAccepted


class Word(StrEnum):
    """The answer in a word."""

    OK = "ok"  # the file is registered, durably
    REFUSED = "refused"  # it isn't, and won't be as it is
    LATER = "later"  # it isn't for now: announce it again


@dataclass(frozen=True, slots=True)
class Answer:
    """What a writer is told.

    Attributes:
        state: With OK: what has become of the file by now (see `FileState`).
        file: With OK: its number.
        name: Its name, as tables show it.
        size: With OK: in bytes, as it was registered.
        registered_at: With OK: ISO 8601, UTC.
        reason: With REFUSED and LATER: why, in a word.
        message: Why, for people; with OK why it is held or failed.
    """

    answer: Word
    state: str | None = None
    file: int | None = None
    name: str | None = None
    size: int | None = None
    registered_at: str | None = None
    reason: str | None = None
    message: str | None = None

    def fields(self) -> dict[str, str | int]:
        """Return what it says, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def line(self) -> bytes:
        """Return it as it is sent."""
        return json.dumps(self.fields()).encode() + b"\n"

    @classmethod
    def of_line(cls, line: bytes) -> "Answer":
        """Read what `line` made; fields of a later version are passed over. ValueError when it is none."""
        content = json.loads(line)
        if not isinstance(content, dict):
            raise ValueError("no JSON object")
        known = {name: content[name] for name in cls.__slots__ if name in content}
        return cls(**{**known, "answer": Word(content.get("answer", ""))})


def request_line(path: Path) -> bytes:
    """Return the line that announces `path`, whatever its name."""
    return json.dumps({"file": str(path)}).encode() + b"\n"


def path_in(line: bytes) -> str:
    """Return the path that a line announces.

    Args:
        line: Without its newline.

    Raises:
        NotAccepted: `garbage`.
    """
    path = _from_json(line) if line.startswith(b"{") else os.fsdecode(line)
    if not path or "\0" in path:
        raise NotAccepted("garbage", "the line names no file.", hint=_EXPECTED)
    try:
        os.fsencode(path)
    except UnicodeEncodeError as error:
        raise NotAccepted("garbage", "the line names no possible file.", hint=_EXPECTED) from error
    return path


_EXPECTED = 'Send the path of a file and a newline, or {"file": PATH} and a newline.'


def _from_json(line: bytes) -> str:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise NotAccepted(
            "garbage", "the line begins like JSON and is none.", hint=_EXPECTED
        ) from error
    path = content.get("file") if isinstance(content, dict) else None
    if not isinstance(path, str):
        raise NotAccepted("garbage", "the JSON has no text named file.", hint=_EXPECTED)
    return path
