"""The generated parts of the pages are what the code says today."""

import pytest

import _docs
from tests.docs.pages import Page, page, pages

HAND_OVER = f"run `{_docs.COMMAND}` and commit what it changes"


@pytest.mark.parametrize("each", pages(), ids=lambda each: each.name)
def test_generated_parts_are_up_to_date(each: Page) -> None:
    """A page says what its declarations say; otherwise the script writes it anew."""
    assert _docs.filled(each.text) == each.text, f"{each.name} is out of date: {HAND_OVER}"


def test_every_part_is_shown() -> None:
    """What is generated has its place in a page."""
    shown = {name for each in pages() for name in _docs.used(each.text)}
    assert set(_docs.PARTS) == shown


def test_every_part_begins_and_ends() -> None:
    """A part without its end would never be written."""
    for each in pages():
        begun = each.text.count("<!-- generated: ")
        assert begun == each.text.count("<!-- end -->"), each.name
        assert begun == len(_docs._PART.findall(each.text)), each.name


def test_unknown_part_is_refused() -> None:
    """A misspelled part is named, with those there are."""
    text = "<!-- generated: settings-rum -->\n<!-- end -->\n"
    with pytest.raises(_docs.UnknownPart, match="settings-run"):
        _docs.filled(text)


def test_readme_has_the_guarantees() -> None:
    """The table that people look for first is in the README, and tells the plan's verdicts."""
    readme = page("README.md").text
    assert _docs.PARTS["guarantees"]() in readme
    for verdict in ("exactly once", "repeat-safe", "at least once", "**refused**"):
        assert verdict in readme
