"""The pages hang together: links lead somewhere, files that are named are there, nothing is left over."""

import re
import tempfile
from pathlib import Path
from typing import cast

import pytest

from qanat.pipelines.metering.proof import MeteringProof
from qanat.prove.databases import Embedded
from qanat.prove.extent import Extent
from qanat.prove.harness import Harness
from qanat.prove.processes import Children
from qanat.prove.proof import Proof
from tests.docs.pages import CHECKOUT, Page, page, pages

# What a page may show as code: languages that readers' eyes and these tests know.
LANGUAGES = {"console", "diff", "ini", "json", "python", "sql", "text", "toml"}
PURPOSES = {"", "follow", "laws", "run", "sftp", "tree"}
FOLLOWED = "docs/tutorial.md"
"""Its other blocks are files, whose names are their purposes."""


@pytest.mark.parametrize("each", pages(), ids=lambda each: each.name)
def test_links_lead_somewhere(each: Page) -> None:
    """Each link within the documentation names a file that is there, and a heading in it."""
    for target in each.links:
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = (CHECKOUT / each.name).parent / name if name else CHECKOUT / each.name
        assert path.exists(), f"{each.name}: {target}"
        if anchor:
            there = page(path.resolve().relative_to(CHECKOUT).as_posix())
            assert anchor in there.anchors, f"{each.name}: {target}"


@pytest.mark.parametrize("each", pages(), ids=lambda each: each.name)
def test_anchors_are_unique(each: Page) -> None:
    """No heading occurs twice on a page: a link would lead to the first one."""
    titles = re.findall(r"^#+ (.+)$", each.prose, re.MULTILINE)
    if each.name != "CHANGELOG.md":  # each version has the same headings
        assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("each", pages(), ids=lambda each: each.name)
def test_blocks_are_marked(each: Page) -> None:
    """Each block of code has a language, so that what is executed can be told from what isn't."""
    assert 0 == each.text.count("\n```") % 2
    for block in each.blocks:
        assert block.language in LANGUAGES, f"{each.name}:{block.line}"
        known = block.purpose in PURPOSES or each.name == FOLLOWED
        assert known, f"{each.name}:{block.line}"


@pytest.mark.parametrize("each", pages(), ids=lambda each: each.name)
def test_nothing_of_this_machine(each: Page) -> None:
    """No page names a place of the machine on which it was written, or a number in a list of tasks."""
    for place in (CHECKOUT, Path.home(), Path(tempfile.gettempdir())):
        assert f"{place}/" not in each.text
    assert re.search(r"\bissue \d", each.text, re.IGNORECASE) is None
    assert re.search(r"@@|TODO|FIXME|XXX", each.text) is None


def test_scripts_are_there() -> None:
    """Each script that a page tells to run is a file; the two commands of the README among them."""
    named = {
        match
        for each in pages()
        for match in re.findall(r"python3? ((?:scripts|bench)/[a-z_]+\.py)", each.text)
    }
    assert {"scripts/demo.py", "scripts/test.py"} <= named
    assert [] == [name for name in sorted(named) if not (CHECKOUT / name).is_file()]


def test_sources_are_there() -> None:
    """Each file of ours that a page sends its reader to is there."""
    pattern = re.compile(r"`((?:src|tests|docs|scripts|bench)/[\w./-]+)`")
    for each in pages():
        for name in pattern.findall(each.prose):
            if "NAME" in name:  # to be filled in by the reader
                continue
            assert (CHECKOUT / name).exists(), f"{each.name}: {name}"


def test_scenarios_of_a_proof(tmp_path: Path) -> None:
    """Each kind of scenario that a proof carries out is explained."""
    harness = Harness(
        proof=cast("Proof", MeteringProof(tmp_path, 1, 1000)),
        databases=Embedded("duckdb:"),
        children=Children(()),
        place=tmp_path,
        keep=False,
        tell=lambda _: None,
    )
    extent = Extent(hits=1, kills=1, items=2, seed=1, quick=False, only=(), jobs=1)
    kinds = {scenario.name.partition(":")[0] for scenario in harness.chosen(extent)}
    text = page("docs/prove.md").text
    assert [] == [kind for kind in sorted(kinds) if not re.search(rf"`{kind}(:|`)", text)]
