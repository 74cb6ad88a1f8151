"""Which consumers the generator draws, and how often; and that its bytes never change."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import xxhash

from qanat.pipelines.metering.generate.distribution import (
    alias_table,
    spread_ids,
    zipf_buckets,
    zipf_weights,
)
from qanat.pipelines.metering.generator import GeneratorOptions, expect, generate_stream

OPTIONS = GeneratorOptions(files=1, size_bytes_min=300_000, size_bytes_max=300_000, consumers=100)


def lines_by_consumer(options: GeneratorOptions) -> Counter[int]:
    return Counter(
        int(line.split(b" ")[0])
        for block in generate_stream(options)
        for line in block.split(b"\n")[:-1]
    )


def test_zipf_is_skewed_and_uniform_is_not() -> None:
    """The consumer of rank k occurs about 1/k as often as the first; or all occur equally often."""
    zipf = lines_by_consumer(replace(OPTIONS, distribution="zipf"))
    uniform = lines_by_consumer(OPTIONS)

    for rank in (2, 3, 5, 10):
        assert 1 / rank == pytest.approx(zipf[rank] / zipf[1], rel=0.15)
    assert set(range(1, 101)) == set(zipf) == set(uniform)
    mean = uniform.total() / 100
    assert all(abs(count - mean) < 6 * math.sqrt(mean) for count in uniform.values())


def test_an_exponent_of_0_is_uniform_and_a_great_one_is_steep() -> None:
    """The exponent is obeyed at both ends."""
    flat = lines_by_consumer(replace(OPTIONS, distribution="zipf", zipf_exponent=0.0))
    steep = lines_by_consumer(replace(OPTIONS, distribution="zipf", zipf_exponent=8.0))
    assert flat[1] == pytest.approx(flat[100], rel=0.5)
    assert steep[1] / steep.total() > 0.99


@pytest.mark.parametrize("consumers", [1, 2, 2047, 2048, 2049, 100_000, 2**28])
def test_buckets_cover_every_rank_once(consumers: int) -> None:
    """They follow each other without gap or overlap, and are narrow where ranks differ."""
    buckets = zipf_buckets(consumers)
    widths, firsts = buckets >> np.uint64(32), buckets & np.uint64(0xFFFFFFFF)

    assert 0 == firsts[0]
    assert (firsts[1:] == (firsts + widths)[:-1]).all()
    assert consumers == firsts[-1] + widths[-1]
    assert (widths <= np.maximum(1, firsts // 1000)).all()
    assert len(buckets) < 16_384


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 1.07, 2.0])
def test_weights_are_those_of_the_formula(exponent: float) -> None:
    """Each is the sum of rank^-exponent over the bucket, though made without `pow`."""
    buckets = zipf_buckets(50_000)
    weights = zipf_weights(buckets, exponent)

    for bucket, weight in zip(buckets.tolist(), weights.tolist(), strict=True):
        first, width = (bucket & 0xFFFFFFFF) + 1, bucket >> 32
        exact = math.fsum(math.pow(rank, -exponent) for rank in range(first, first + width))
        assert exact * 2**34 == pytest.approx(weight, rel=1e-6, abs=1.1)


@pytest.mark.parametrize("consumers", [1, 2, 3, 5, 64, 1000, 4096])
@pytest.mark.parametrize("exponent", [0.0, 1.0, 3.0])
def test_the_alias_table_gives_each_bucket_its_share_exactly(
    consumers: int, exponent: float
) -> None:
    """Summed over all cells, thresholds and rests are each bucket's share of the whole."""
    weights = zipf_weights(zipf_buckets(consumers), exponent)
    cells = alias_table(weights)

    given = [0] * len(cells)
    for cell, entry in enumerate(cells.tolist()):
        given[cell] += entry >> 32
        given[entry & 0xFFFFFFFF] += 2**32 - (entry >> 32)
    total = len(cells) << 32
    assert sum(given) == total
    assert not any(given[len(weights) :])
    for share, weight in zip(given, weights.tolist(), strict=False):
        exact = weight * total / int(weights.sum())
        assert exact == pytest.approx(share, rel=1e-9, abs=len(cells))


def test_every_rank_occurs_as_often_as_the_formula_says() -> None:
    """Up to chance (6 standard deviations), in wide buckets as in narrow ones, to their ends."""
    options = replace(
        OPTIONS, size_bytes_max=4 << 20, distribution="zipf", zipf_exponent=0.5, consumers=4096
    )
    counts = lines_by_consumer(options)

    scale = counts.total() / math.fsum(rank**-0.5 for rank in range(1, 4097))
    for rank in range(1, 4097):
        mean = scale * rank**-0.5
        assert abs(counts[rank] - mean) < 6 * math.sqrt(mean)


@pytest.mark.parametrize("digits", [5, 9, 17, 18])
def test_spread_consumers_differ_and_fill_the_range(digits: int) -> None:
    """No two are equal, all have at most so many digits, and every tenth of the range has some."""
    ids = spread_ids(50_000, digits)
    assert len(ids) == len(np.unique(ids))
    tenths = Counter((ids // np.uint64(10 ** (digits - 1))).tolist())
    assert set(range(10)) == set(tenths)
    assert min(tenths.values()) > 4900


def test_consumers_can_be_spread_over_more_digits() -> None:
    """As many consumers as asked for, with numbers up to the digits asked for."""
    totals = expect(replace(OPTIONS, consumer_digits=18)).totals()
    assert 100 == len(totals)
    assert max(totals) > 9 * 10**17


@pytest.mark.parametrize(
    ("changes", "digest"),
    [
        ({}, "149dabf792660f86"),
        ({"distribution": "zipf", "consumers": 1000, "zipf_exponent": 1.1}, "007f7bfd68b899d7"),
        (
            {"consumer_digits": 15, "amount_max": 10**18 - 1, "padded_share": 0.2},
            "18e3b7257268868e",
        ),
        (
            {"bad_share": 0.3, "crlf_share": 0.1, "unterminated_share": 0.5, "seed": 2**64 - 1},
            "51a56150f9ec1926",
        ),
    ],
)
def test_the_bytes_of_a_seed_never_change(changes: dict[str, object], digest: str) -> None:
    """Whatever the machine and the version: results that were written down stay reproducible."""
    options = replace(OPTIONS, size_bytes_max=400_000, **changes)  # type: ignore[arg-type]
    found = xxhash.xxh3_64_hexdigest(b"".join(generate_stream(options, 3)))
    assert digest == found
