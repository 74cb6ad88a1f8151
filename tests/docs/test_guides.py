"""The source and the store that the guides show keep the laws, tested as the guides tell."""

import tempfile
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import cast

import pytest

from qanat.errors import Fatal
from qanat.interfaces import Store, StoreOptions
from qanat.testing import FakeClock, MemoryDatabase, MemoryStore
from qanat.testing.laws import SourceLaws, StoreLaws
from qanat.testing.laws_store import TABLES
from tests.docs.pages import blocks
from tests.docs.test_examples import RUN, executed

LAWS = dict(blocks("python", "laws"))


def shown(page: str) -> dict[str, type]:
    """What a page defines, after executing its examples and the tests of the laws."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        return cast("dict[str, type]", vars(executed(page, [*RUN[page], *LAWS[page]])))


# The laws of a source are quick, so that pytest collects the very class of the page.
TestJournals = shown("docs/add-a-source.md")["TestJournals"]

SOME_LAWS: list[Callable[[StoreLaws, Store], None]] = [
    lambda laws, store: laws.test_enters_once(store),
    lambda laws, store: laws.test_enter_rolled_back(store),
    lambda laws, store: laws.test_stale_version_is_fenced(store),
    lambda laws, store: laws.test_not_blocked_by_a_writer(store),
]
"""Those of a store take half a minute, and its transactions are the memory's: a few of each kind."""


def test_source_is_tested_by_the_laws() -> None:
    """The class in the guide is the whole suite."""
    assert issubclass(TestJournals, SourceLaws)


@pytest.mark.parametrize("law", range(len(SOME_LAWS)))
def test_store_keeps_laws(law: int, tmp_path: Path) -> None:
    """The store in the guide keeps the laws, and can be made to look newer."""
    guide = shown("docs/add-a-store.md")
    timed, laws = guide["Timed"], guide["TestTimed"]()
    assert isinstance(laws, StoreLaws)
    database = MemoryDatabase()
    store = timed(MemoryStore(StoreOptions(tmp_path, FakeClock()), database))
    store.migrate(TABLES)
    SOME_LAWS[law](laws, store)
    laws.make_newer(store)
    assert database.schema_version > MemoryDatabase().schema_version
    with pytest.raises(Fatal, match="newer Qanat"):
        timed(MemoryStore(StoreOptions(tmp_path, FakeClock()), database))
    assert store.seconds
