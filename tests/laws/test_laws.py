"""The laws themselves: none hides another, and what ships beside them needs no test tools."""

import subprocess
import sys
from collections import Counter

import pytest

from qanat.testing.laws import LogLaws, SourceLaws, StoreLaws


@pytest.mark.parametrize("laws", [StoreLaws, SourceLaws, LogLaws])
def test_no_law_hides_another(laws: type) -> None:
    """No two classes of laws have a test of the same name: the second would never run."""
    names = Counter(
        name
        for kind in laws.__mro__
        for name, value in vars(kind).items()
        if name.startswith("test_") and callable(value)
    )
    assert [] == [name for name, count in names.items() if count > 1]
    assert len(names) > 10


def test_testing_needs_no_test_tools() -> None:
    """`qanat.testing` loads neither pytest nor Hypothesis, nor a driver."""
    program = (
        "import sys, qanat.testing\n"
        "tools = 'pytest', 'hypothesis', 'duckdb', 'psycopg'\n"
        "print([name for name in tools if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert "[]" == done.stdout.strip()
