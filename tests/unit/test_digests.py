"""The digest of files."""

import itertools

import xxhash
from hypothesis import given
from hypothesis import strategies as st

from qanat.digests import CHUNK_BYTES, ChunkDigest, chunk_digest, combine_digests


def test_it_is_what_the_format_says() -> None:
    """Big-endian chunk digests, then the big-endian size, hashed once more."""
    content = bytes(range(256)) * 4096 + b"the last chunk is shorter"
    assert len(content) == CHUNK_BYTES + 25

    first = xxhash.xxh3_64_intdigest(content[:CHUNK_BYTES]).to_bytes(8, "big")
    second = xxhash.xxh3_64_intdigest(content[CHUNK_BYTES:]).to_bytes(8, "big")
    size = len(content).to_bytes(8, "big")
    expected = f"{xxhash.xxh3_128_intdigest(first + second + size):032x}"

    assert expected == combine_digests(first + second, len(content))
    assert first == chunk_digest(content[:CHUNK_BYTES])
    digest = ChunkDigest()
    digest.update(content)
    assert expected == digest.hexdigest()


def test_an_empty_file_has_a_digest() -> None:
    """It is that of no chunks and the size 0."""
    assert combine_digests(b"", 0) == ChunkDigest().hexdigest()


@given(st.lists(st.integers(0, 2 * CHUNK_BYTES), max_size=5))
def test_how_a_stream_is_cut_makes_no_difference(cuts: list[int]) -> None:
    """The digest depends on the bytes, not on the pieces in which they came."""
    content = memoryview(bytes(CHUNK_BYTES // 2 + 1) + b"x" * (CHUNK_BYTES + CHUNK_BYTES // 2))
    whole, pieces = ChunkDigest(), ChunkDigest()
    whole.update(content)

    bounds = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    for start, end in itertools.pairwise(bounds):
        pieces.update(content[start:end])

    assert whole.hexdigest() == pieces.hexdigest()
    assert len(content) == pieces.size_bytes
