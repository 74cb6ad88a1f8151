"""The pages of the documentation, taken apart for the tests beside this file."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code.

    Attributes:
        language: The first word behind the fence.
        purpose: The second one: `run` and `laws` are executed by the tests.
        line: Where its text begins in the page.
    """

    page: str
    language: str
    purpose: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page; its name is relative to the checkout."""

    name: str
    text: str

    @property
    def blocks(self) -> list[Block]:
        """The blocks of code, in order."""
        return [self._block(match) for match in _FENCE.finditer(self.text)]

    @property
    def prose(self) -> str:
        """The text without its blocks of code."""
        return _FENCE.sub("", self.text)

    @property
    def anchors(self) -> set[str]:
        """What a link can point to within the page."""
        titles = [match["title"] for match in _HEADING.finditer(self.prose)]
        return {anchor_of(title) for title in titles}

    @property
    def links(self) -> list[str]:
        """Where the page points to."""
        return [match["target"] for match in _LINK.finditer(self.prose)]

    def _block(self, match: re.Match[str]) -> Block:
        language, _, purpose = match["info"].partition(" ")
        line = self.text.count("\n", 0, match.start("text")) + 1
        return Block(self.name, language, purpose, line, match["text"])


@cache
def pages() -> list[Page]:
    """Every page: the ones in docs, and those at the top that people read first."""
    paths = [CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    paths += sorted((CHECKOUT / "docs").rglob("*.md"))
    return [
        Page(path.relative_to(CHECKOUT).as_posix(), path.read_text(encoding="utf-8"))
        for path in paths
    ]


def page(name: str) -> Page:
    """The page with that name."""
    return next(each for each in pages() if each.name == name)


def blocks(language: str, purpose: str) -> Iterator[tuple[str, list[Block]]]:
    """The blocks of one kind, by their page."""
    for each in pages():
        found = [b for b in each.blocks if (b.language, b.purpose) == (language, purpose)]
        if found:
            yield each.name, found


def anchor_of(title: str) -> str:
    """The name that a heading gets in the places where these pages are read."""
    kept = re.sub(r"[^\w\- ]", "", title.replace("`", "").lower())
    return kept.replace(" ", "-")
