"""The hash table stays quick: searches are short whatever pattern the consumers have."""

import threading

import pytest

from qanat.pipelines.metering.kernel import layout
from qanat.pipelines.metering.kernel.native import load
from qanat.pipelines.metering.kernel.summing import KeysFull, Summing

COUNT = 60_000


def summing_of(content: bytes, keys_max: int = COUNT, range_bits: int = 0) -> Summing:
    """Sum content in one piece."""
    summing = Summing(
        load(),
        chunk_bytes=len(content),
        keys_max=keys_max,
        key_range=(0, range_bits),
        growing=threading.Lock(),
    )
    summing.begin(lambda _: None, within_line=False)
    summing.room[:] = content
    summing.feed(0, len(content))
    return summing


@pytest.mark.parametrize("range_bits", [0, 2])
@pytest.mark.parametrize(
    "stride", [1, 2, 10, 1000, 10**6, 10**8, 2 * 10**8, 2**16, 2**32, 2**40, 1346269, 7**12]
)
def test_consumers_with_a_stride(stride: int, range_bits: int) -> None:
    """Regular consumers, some of which crowd together in a simple table, need few slots a line."""
    consumers = range(0, COUNT * stride, stride)
    content = b"".join(b"%d 1\n" % consumer for consumer in consumers) * 3
    summing = summing_of(content, range_bits=range_bits)
    assert COUNT // (1 << range_bits) == pytest.approx(summing.keys, rel=0.1)
    assert summing._state[layout.SEARCHED] < 8 * summing.added


def test_table_gives_up_early() -> None:
    """With too many consumers the table doesn't grow on and on."""
    content = b"".join(b"%d 1\n" % consumer for consumer in range(COUNT))
    with pytest.raises(KeysFull):
        summing_of(content, keys_max=COUNT // 10)
