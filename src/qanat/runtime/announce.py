"""Announced files: registered at once, and answered when that is durable.

What is answered with OK is in the store, with the item of work that counts it: it is counted once,
by this run or by the next, however often it is announced or found.
"""

from dataclasses import dataclass
from typing import Protocol

from qanat.errors import (
    CommitUnknown,
    FileChanged,
    FileVanished,
    NotAccepted,
    QanatError,
    Retryable,
)
from qanat.records import FileStat, FoundFile
from qanat.runtime.announce_words import Answer, Word, path_in
from qanat.runtime.compute import FileSource
from qanat.runtime.discover import Registrar
from qanat.runtime.registry import FileRow, files_named
from qanat.telemetry import log

# A file may be written, counted or moved while it is looked at; then it is looked at anew. Who meets that so often has a
# writer that doesn't stop.
LOOKS_MAX = 3


class AnnouncedSource(FileSource, Protocol):
    """A file source whose writers may announce what is finished. Any thread may call these."""

    def named(self, given: str) -> str:
        """Return the name of the file at a path; NotAccepted when it can't be one of this source's."""
        ...

    def look(self, name: str) -> FileStat | None:
        """Return the file that has this name now; None if there is none."""
        ...

    def vouched(self, stat: FileStat) -> FoundFile:
        """Look at a file that is finished, as its writer says.

        Raises:
            NotAccepted: It can't be taken as it is.
            FileChanged: It is another one by now.
            FileVanished: It is gone.
        """
        ...


@dataclass(frozen=True, slots=True)
class Announcements:
    """Answers announcements. Any thread may use it.

    Attributes:
        registrar: Of its own: it shares nothing with the one that looks into the folder but the store.
    """

    source: AnnouncedSource
    registrar: Registrar

    def answer(self, line: bytes) -> Answer:
        """Do what a line asks for, and return what is to be answered."""
        try:
            name = self.source.named(path_in(line))
            answer = self._registered(name)
        except NotAccepted as error:
            answer = refusal(error)
        except (Retryable, CommitUnknown) as error:
            answer = later("store", error)
        except (QanatError, OSError) as error:
            answer = later("error", error)
        self.note(answer)
        return answer

    def note(self, answer: Answer) -> None:
        """Log and count an answer."""
        committer = self.registrar.committer
        log(
            "announce.answered",
            answer=str(answer.answer),
            reason=answer.reason,
            state=answer.state,
            file=answer.file,
            name=answer.name,
        )
        committer.telemetry.count(
            "qanat_announcements_total", pipeline=committer.pipeline, answer=str(answer.answer)
        )

    def _registered(self, name: str) -> Answer:
        for _ in range(LOOKS_MAX):
            stat = self.source.look(name)
            row = self._known(name, stat)
            if row is not None:
                return _told(row)
            if stat is None:
                raise NotAccepted(
                    "missing", f"there is no file {name}, and never was one.",
                    hint="Put it into the watched folder, then announce it.",
                )  # fmt: skip
            try:
                self.registrar.register([self.source.vouched(stat)])
            except (FileChanged, FileVanished):
                continue
            row = self._known(name, stat)
            if row is not None:
                return _told(row)
        raise Retryable(f"{name} changes while it is looked at.")

    def _known(self, name: str, stat: FileStat | None) -> FileRow | None:
        """Return the newest row of that very file; of whatever had the name when it isn't there any more."""
        with self.registrar.committer.store.snapshot() as reader:
            rows = files_named(reader, [name])
        return next((row for row in reversed(rows) if stat is None or row.stat == stat), None)


def refusal(error: NotAccepted) -> Answer:
    """Return the answer that says why something isn't taken."""
    return Answer(Word.REFUSED, reason=error.reason, message=_text(error))


def later(reason: str, error: QanatError | OSError) -> Answer:
    """Return the answer that asks to announce again."""
    message = _text(error) if isinstance(error, QanatError) else str(error)
    return Answer(Word.LATER, reason=reason, message=message)


def _text(error: QanatError) -> str:
    return f"{error.message} {error.hint}".strip()


def _told(row: FileRow) -> Answer:
    return Answer(
        Word.OK,
        state=row.state,
        file=row.id,
        name=row.name,
        size=row.size,
        registered_at=row.registered_at.isoformat().replace("+00:00", "Z"),
        message=row.reason,
    )
