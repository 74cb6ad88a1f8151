"""The pytest plugin `qanat`: the fixture `qanat_pipeline`. Loading it imports nothing heavy."""

from collections.abc import Iterator

import pytest

from qanat.given.cases import Giving, given


def pytest_configure(config: pytest.Config) -> None:
    """Keep out of a user's tests what DuckDB warns of and we have considered; see `qanat.stores.duckdb_reading`."""
    config.addinivalue_line("filterwarnings", "ignore:Arrow output on a DB-API result:UserWarning")


@pytest.fixture
def qanat_pipeline() -> Iterator[Giving]:
    """Given events and a clock, expect tables; see `qanat.given`.

    What a pipeline makes of its events is computed once per test, however often it is asked.
    """
    from contextlib import ExitStack

    with ExitStack() as kept:
        yield lambda pipeline: given(pipeline, kept)
