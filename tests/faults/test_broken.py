"""The proof finds what it is for: variants of `metering` that break one rule each are caught, by one scenario each."""

import pytest

from qanat.prove.ledger import Ledger
from tests.faults.broken.breaking import launcher
from tests.faults.proving import proved, told

# (the variant in tests/faults/broken, the scenario that catches it, what it finds)
ON_DUCKDB = [
    ("sums_apart", "kill:count.entered", "duplicated"),
    ("moved_first", "kill:count.before_commit", "lost"),
    ("finished_first", "kill:count.before_commit", "lost"),
    ("letters_apart", "kill:count.before_commit", "duplicated"),
    ("staging_kept", "kill:part.staged", "duplicated"),
    ("ledger_ignored", "retry:points", "duplicated"),
    ("changes_unseen", "changed", "duplicated"),
    ("content_unchecked", "twice:after", "duplicated"),
    ("registered_twice", "kill:register.after_commit", "problems"),
    ("answered_first", "announce:repeated", "lost"),
    ("rolled_up_apart", "kill:rollup.before_commit", "lost"),
]
ON_POSTGRES = [
    ("outcome_assumed", "cut:commit-before", "lost"),
    ("retried_blindly", "cut:commit-reply", "duplicated"),
]

pytestmark = pytest.mark.fault


@pytest.mark.parametrize(("variant", "scenario", "finds"), ON_DUCKDB)
def test_caught(variant: str, scenario: str, finds: str) -> None:
    """The scenario fails, and says what is wrong."""
    assert _finds(proved(scenario, launcher=launcher(variant)), finds)


@pytest.mark.postgres
@pytest.mark.parametrize(("variant", "scenario", "finds"), ON_POSTGRES)
def test_caught_between_two_systems(
    variant: str, scenario: str, finds: str, postgres_url: str
) -> None:
    """What only a connection can bring about is caught on PostgreSQL."""
    assert _finds(proved(scenario, postgres_url, launcher(variant)), finds)


def test_whole_one_passes() -> None:
    """The same scenarios pass when nothing is broken."""
    ledger = proved(",".join(sorted({scenario for _, scenario, _ in ON_DUCKDB})))
    assert ledger.passed, told(ledger)


@pytest.mark.postgres
def test_whole_one_passes_between_two_systems(postgres_url: str) -> None:
    """So they do on PostgreSQL."""
    ledger = proved(",".join(scenario for _, scenario, _ in ON_POSTGRES), postgres_url)
    assert ledger.passed, told(ledger)


def test_ledger_makes_up_for_leases() -> None:
    """When no lease is heeded, two threads compute a file, and the ledger lets it count once."""
    ledger = proved("retry:points", launcher=launcher("leases_ignored"))
    assert (0, 0) == (ledger.total("duplicated"), ledger.total("lost"))


def _finds(ledger: Ledger, what: str) -> bool:
    assert not ledger.passed
    if what == "problems":
        return any(line.problems for line in ledger.lines)
    return ledger.total(what) > 0
