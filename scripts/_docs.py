"""The generated parts of the documentation, and putting them into its pages.

docs.py starts it, in the environment. Each part is made from the declaration that the code itself
goes by, so that a page can't say something else.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import _docs_commands as commands
import _docs_http as http
import _docs_sql as sql
import _docs_tables as tables

CHECKOUT = Path(__file__).resolve().parent.parent
COMMAND = "python3 scripts/docs.py"

PARTS: Mapping[str, Callable[[], str]] = {
    **commands.PARTS,
    **tables.PARTS,
    **http.PARTS,
    **sql.PARTS,
}
"""Every part by its name."""

_PART = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->\n)", re.DOTALL)


class UnknownPart(ValueError):
    """A page asks for a part that isn't there."""


def pages(checkout: Path = CHECKOUT) -> Iterator[Path]:
    """Every page of the documentation."""
    yield checkout / "README.md"
    yield from sorted((checkout / "docs").rglob("*.md"))


def filled(text: str) -> str:
    """Return a page's text with its generated parts made anew."""

    def part(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in PARTS:
            raise UnknownPart(f"{name}: there are {', '.join(sorted(PARTS))}")
        return f"{match[1]}\n{PARTS[name]().strip()}\n\n{match[3]}"

    return _PART.sub(part, text)


def used(text: str) -> set[str]:
    """The names of the parts that a page shows."""
    return {match["name"] for match in _PART.finditer(text)}


def main(arguments: list[str]) -> int:
    """Write, or with --check only compare; 1 if a page was, or is, out of date."""
    check = "--check" in arguments
    stale = []
    for path in pages():
        before = path.read_text(encoding="utf-8")
        after = filled(before)
        if after != before:
            stale.append(path.relative_to(CHECKOUT).as_posix())
            if not check:
                path.write_text(after, encoding="utf-8", newline="\n")
    word = f"out of date, run {COMMAND}" if check else "written"
    print(*(f"{name}: {word}" for name in stale), sep="\n", end="\n" if stale else "")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
