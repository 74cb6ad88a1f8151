"""By which grammar a store counts: noted, kept, and checked once more by every commit."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest

from qanat.errors import ConfigError
from qanat.interfaces import Store, StoreOptions
from qanat.pipelines.metering import PIPELINE, STAGE, TOTALS
from qanat.pipelines.metering.grammar import check, noted, settle
from qanat.pipelines.metering.lines import PLAIN, Grammar
from qanat.runtime.commit import Committer
from qanat.tables import Append, arrow_schema
from qanat.telemetry import Telemetry
from qanat.testing import FakeClock
from qanat.testing.memory_store import open_store

THREE = Grammar(decimals=3)


@pytest.fixture
def committer(tmp_path: Path) -> Iterator[Committer]:
    """An empty store."""
    clock = FakeClock(datetime(2026, 11, 22, 12, tzinfo=UTC))
    store = open_store("memory:", PIPELINE.name, StoreOptions(tmp_path, clock))
    store.migrate(PIPELINE.tables)
    yield Committer(store, PIPELINE.name, STAGE, clock, Telemetry())
    store.close()


def grammar_of(store: Store) -> Grammar:
    """Return what is noted."""
    with store.snapshot() as reader:
        return noted(reader)


def count(store: Store) -> None:
    """Count something."""
    rows = pa.Table.from_pylist(
        [{"consumer": 7, "amount": 0, "parts": 1}], schema=arrow_schema(TOTALS)
    )
    with store.begin(STAGE, uuid4()) as transaction:
        transaction.write(TOTALS, rows, Append())
        transaction.commit()


def test_it_changes_until_something_was_counted(committer: Committer) -> None:
    """Then it stays, and whoever wants another one is told which it is."""
    assert grammar_of(committer.store) == PLAIN
    for wanted in (PLAIN, THREE, Grammar(signed=True), PLAIN, THREE):
        settle(committer, wanted)
        assert wanted == grammar_of(committer.store)
    count(committer.store)
    settle(committer, THREE)
    for other in (PLAIN, Grammar(decimals=2), Grammar(signed=True, decimals=3)):
        with pytest.raises(ConfigError, match=r"as this store|with which this store"):
            settle(committer, other)
        assert grammar_of(committer.store) == THREE


def test_a_store_that_noted_nothing_is_plain(committer: Committer) -> None:
    """What was counted by nobody's choice was counted as whole, positive amounts."""
    count(committer.store)
    settle(committer, PLAIN)
    with pytest.raises(ConfigError, match="--signed is"):
        settle(committer, Grammar(signed=True))


def test_a_commit_by_another_grammar_is_refused(committer: Committer) -> None:
    """Another process may have changed it after this one started, while nothing was counted yet."""
    settle(committer, THREE)
    with committer.store.snapshot() as reader:
        check(reader, THREE)
        with pytest.raises(ConfigError, match="--decimals is 0"):
            check(reader, PLAIN)
