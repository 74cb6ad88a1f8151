"""The pytest plugin `qanat`: the fixture `qanat_pipeline`. Loading it imports nothing heavy."""

from collections.abc import Iterator

import pytest

from qanat.given.cases import Giving, given


@pytest.fixture
def qanat_pipeline() -> Iterator[Giving]:
    """Given events and a clock, expect tables; see `qanat.given`.

    What a pipeline makes of its events is computed once per test, however often it is asked.
    """
    from contextlib import ExitStack

    with ExitStack() as kept:
        yield lambda pipeline: given(pipeline, kept)
