"""The laws of each interface, for pytest. Needs pytest and Hypothesis; `qanat.testing` itself needs
neither.

A test module derives a class and gives the factory:

```python
from qanat.testing.laws import OpenStore, StoreLaws

class TestMyStore(StoreLaws):
    @pytest.fixture
    def open_store(self, tmp_path: Path, clock: Clock) -> OpenStore:
        options = StoreOptions(tmp_path, clock, attempts_max=self.attempts_max)
        return lambda: MyStore(tmp_path / "file", options)

    def make_newer(self, store: Store) -> None: ...
```

Import this module before the modules it names, so that pytest explains their assertions.
"""

import pytest

pytest.register_assert_rewrite(
    *(
        f"qanat.testing.laws_{topic}"
        for topic in (
            "claims",
            "differential",
            "leases",
            "ledger",
            "log",
            "log_commits",
            "log_reading",
            "migrate",
            "modes",
            "reading",
            "source",
            "staging",
            "store",
            "sums",
            "swap",
            "transactions",
            "values",
            "work",
        )
    )
)

from qanat.testing.laws_claims import ClaimLaws  # noqa: E402 - assertions are rewritten on import
from qanat.testing.laws_differential import DifferentialLaws  # noqa: E402
from qanat.testing.laws_leases import LeaseLaws  # noqa: E402
from qanat.testing.laws_ledger import LedgerLaws  # noqa: E402
from qanat.testing.laws_log import OpenLog, TopicWorld  # noqa: E402
from qanat.testing.laws_log_commits import (  # noqa: E402
    LogClaimLaws,
    LogCommitLaws,
    LogTopicLaws,
)
from qanat.testing.laws_log_reading import LogReadingLaws, LogRetentionLaws  # noqa: E402
from qanat.testing.laws_migrate import MigrateLaws  # noqa: E402
from qanat.testing.laws_modes import ConstantLaws, PlainModeLaws  # noqa: E402
from qanat.testing.laws_reading import ReadingLaws  # noqa: E402
from qanat.testing.laws_source import SourceLaws, SourceWorld  # noqa: E402
from qanat.testing.laws_staging import StagingLaws  # noqa: E402
from qanat.testing.laws_store import OpenStore  # noqa: E402
from qanat.testing.laws_sums import AddLaws, LatestLaws  # noqa: E402
from qanat.testing.laws_swap import SwapLaws  # noqa: E402
from qanat.testing.laws_transactions import TransactionLaws  # noqa: E402
from qanat.testing.laws_values import ParameterLaws, ValueLaws  # noqa: E402

__all__ = [
    "LogLaws",
    "OpenLog",
    "OpenStore",
    "SourceLaws",
    "SourceWorld",
    "StoreLaws",
    "TopicWorld",
]


class StoreLaws(
    TransactionLaws,
    ClaimLaws,
    LedgerLaws,
    PlainModeLaws,
    ConstantLaws,
    AddLaws,
    LatestLaws,
    DifferentialLaws,
    StagingLaws,
    ReadingLaws,
    ValueLaws,
    ParameterLaws,
    LeaseLaws,
    MigrateLaws,
    SwapLaws,
):
    """All laws of `Store` and of the queues in it. Give `open_store` and `make_newer`; see
    `StoreLawsBase`.
    """


class LogLaws(LogCommitLaws, LogClaimLaws, LogTopicLaws, LogReadingLaws, LogRetentionLaws):
    """All laws of `Log`. Give `open_log` and `recreate`; see `LogLawsBase`."""
