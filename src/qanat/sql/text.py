"""The text of a statement and where it stands, so that a message can name file and line."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from qanat.resources import read_text
from qanat.sql.errors import SqlError

ENGINES = ("duckdb", "spark")
"""The engines that a statement is made for."""

_INLINE = "SQL"
_REFERENCE = re.compile(r"(?P<package>[\w.]+):(?P<name>[\w./-]+\.sql)")
_SECTION = re.compile(r"^--[ \t]*engine:[ \t]*(?P<engine>\w+)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SqlText:
    """One statement in DuckDB's dialect, or one text per engine.

    Attributes:
        text: As it is written; empty when it is written per engine.
        place: Its file as it was referred to, or `SQL`.
        first_line: The line of the file on which `text` begins.
        by_engine: The escape hatch: what each engine is given as it stands.
    """

    text: str
    place: str = _INLINE
    first_line: int = 1
    by_engine: Mapping[str, str] = field(default_factory=dict)

    def position(self, offset: int) -> tuple[int, int]:
        """Return line and column, both from 1, of a character of `text`."""
        before = self.text[:offset]
        return self.first_line + before.count("\n"), offset - (before.rfind("\n") + 1) + 1

    def error(self, offset: int, reason: str, hint: str = "") -> SqlError:
        """Make the error that points at a character of `text`."""
        line, column = self.position(offset)
        return SqlError(self.place, line, column, reason, hint)


def load_sql(reference_or_text: str) -> SqlText:
    """Return the statement that `package:file.sql` names, or that the argument is.

    A file with lines `-- engine: duckdb` and `-- engine: spark` gives each engine the text below its line.

    Raises:
        SqlError: There is no such file, or a section is for an engine that isn't known, or there twice.
    """
    match = _REFERENCE.fullmatch(reference_or_text.strip())
    if match is None:
        return _sectioned(reference_or_text, _INLINE)
    try:
        text = read_text(match[0])
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise SqlError(match[0], 1, 1, "there is no such file", str(error)) from error
    return _sectioned(text, match[0])


def _sectioned(text: str, place: str) -> SqlText:
    heads = list(_SECTION.finditer(text))
    if not heads:
        return SqlText(text, place)
    sections: dict[str, str] = {}
    ends = [head.start() for head in heads[1:]] + [len(text)]
    for head, end in zip(heads, ends, strict=True):
        line = text[: head.start()].count("\n") + 1
        engine = head["engine"]
        if engine not in ENGINES:
            known = ", ".join(ENGINES)
            raise SqlError(place, line, 1, f"no engine is called {engine!r}", f"There are: {known}")
        if engine in sections:
            raise SqlError(place, line, 1, f"a second section for {engine}")
        sections[engine] = text[head.end() : end].strip()
    return SqlText("", place, 1, sections)
