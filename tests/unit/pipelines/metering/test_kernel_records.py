"""Sorting and merging records, against NumPy and plain integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qanat.pipelines.metering.kernel import layout
from qanat.pipelines.metering.kernel.native import load
from qanat.pipelines.metering.kernel.summing import Words, carried, merge
from qanat.pipelines.metering.sums import Carries, Sums
from tests.unit.pipelines.metering.reference import signed

CONSUMER_MAX = 10**18 - 1
RECORDS = st.dictionaries(
    st.integers(0, 300) | st.integers(0, CONSUMER_MAX),
    st.integers(-(2**63), 2**63 - 1),
    max_size=50,
)


def records_of(sums: dict[int, int]) -> Words:
    """Records in ascending order."""
    rows = [(consumer + 1, sums[consumer] % 2**64) for consumer in sorted(sums)]
    return np.array(rows, np.uint64).reshape(len(rows), 2)


@pytest.mark.parametrize("count", [0, 1, 2, 31, 32, 33, 1000, 100_000])
@pytest.mark.parametrize("largest", [0, 255, 65_536, 10**7, CONSUMER_MAX])
def test_sort(count: int, largest: int) -> None:
    """Records come into the order of their keys, whatever bytes these use, and keep their sums."""
    random = np.random.default_rng(count)
    records = np.empty((count, 2), np.uint64)
    records[:, 0] = random.integers(1, largest + 2, count)
    records[:, 1] = np.arange(count)
    before = records.copy()
    scratch = np.empty(layout.SORT_WORDS, np.int64)
    fields = np.zeros(layout.ARGUMENT_FIELDS, np.int64)
    fields[layout.SOURCE], fields[layout.SOURCE_COUNT] = records.ctypes.data, count
    fields[layout.TARGET] = scratch.ctypes.data
    load()(layout.SORT, fields.ctypes.data)
    assert (np.sort(before[:, 0]) == records[:, 0]).all()
    assert (before[records[:, 1], 0] == records[:, 0]).all()
    assert count == len(np.unique(records[:, 1]))


@given(RECORDS, RECORDS)
def test_merge(left: dict[int, int], right: dict[int, int]) -> None:
    """Sums of equal consumers are added, exactly: what wraps around becomes a carry."""
    merged, carries = merge(load(), records_of(left), records_of(right))
    sums = Sums.from_records(merged, carries)
    expected = {
        consumer: left.get(consumer, 0) + right.get(consumer, 0) for consumer in left | right
    }
    found = zip(sums.consumer.tolist(), sums.low.tolist(), sums.high.tolist(), strict=True)
    assert sorted(expected.items()) == [
        (consumer, signed(low, high)) for consumer, low, high in found
    ]
    assert sum(expected.values()) == sums.total()


@given(st.lists(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=30), max_size=5))
def test_carries_add_up(batches: list[list[tuple[int, bool]]]) -> None:
    """Carries are counted per consumer, in any order and direction, and over any number of batches."""
    carries = Carries.none()
    for batch in batches:
        wrapped = [consumer + layout.WRAPPED_DOWN * down for consumer, down in batch]
        carries = carries.joined(carried(np.array(wrapped, np.uint64)))
    expected: dict[int, int] = {}
    for consumer, down in sorted(entry for batch in batches for entry in batch):
        expected[consumer] = expected.get(consumer, 0) + (-1 if down else 1)
    assert expected == dict(zip(carries.consumers.tolist(), carries.counts.tolist(), strict=True))
