"""Several processes add to the same totals: both succeed, and every sum is there once."""

import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from qanat.testing.laws_store import tuples
from tests.unit.stores.postgres_fixtures import opened
from tests.unit.stores.test_postgres_sums import TOTALS, USAGE

pytestmark = [pytest.mark.postgres, pytest.mark.fault]

# Adds files of overlapping keys, large ones and small ones, by writing and by merging; prints how often it had to try again.
ADDER = """
import sys
from pathlib import Path
from uuid import uuid4
from qanat.clock import SystemClock
from qanat.errors import Retryable
from qanat.interfaces import StoreOptions
from qanat.stores.postgres import open_store
from tests.unit.stores.test_postgres_sums import *
url, pipeline, folder, seed = sys.argv[1:]
store = open_store(url, pipeline, StoreOptions(Path(folder), SystemClock()))
sys.stdin.readline()
for number in range(8):
    count = COUNT if number % 2 else 40
    step = 1 + (number + int(seed)) % 3
    sums = dict.fromkeys(range(0, count * step, step), 1)
    if number % 4 < 2:
        write(store, sums)
    else:
        merge(store, [sums])
store.close()
"""


def test_processes_add_at_once(postgres_url: str, tmp_path: Path) -> None:
    """Neither waits for the other in a circle, whatever the order of their keys and the size of their files."""
    name = f"p_{uuid4().hex[:12]}"
    with opened(postgres_url, tmp_path, TOTALS, USAGE, pipeline=name) as store:
        children = [
            subprocess.Popen(
                [sys.executable, "-c", ADDER, postgres_url, name, str(tmp_path), str(seed)],
                stdin=subprocess.PIPE, cwd=Path(__file__).parents[3], text=True,
            )
            for seed in range(2)
        ]  # fmt: skip
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        for child in children:
            child.communicate()
        assert [child.returncode for child in children] == [0, 0]
        expected: dict[int, int] = {}
        for seed in range(2):
            for number in range(8):
                count, step = (2_123 if number % 2 else 40), 1 + (number + seed) % 3
                for key in range(0, count * step, step):
                    expected[key] = expected.get(key, 0) + 1
        with store.snapshot() as reader:
            totals = tuples(reader.query("select consumer, amount, files from totals"))
            usage = tuples(reader.query("select consumer, amount from usage"))
    assert totals == [(key, count, count) for key, count in sorted(expected.items())]
    assert usage == sorted(expected.items())
