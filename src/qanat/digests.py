"""The digest of a file: xxh3 of fixed chunks, combined at the end.

A file is cut into chunks of 1 MiB, aligned to its start. Each chunk's xxh3_64 can be taken by any
thread, in any order, from the buffer it has read anyway; the file's digest is the xxh3_128 of those
digests, in the order of the chunks, and of the size. It tells accidents apart (truncation, a
changed byte, swapped parts). It isn't a cryptographic digest.

    digest = xxh3_128(chunk digests of 8 bytes each, big-endian ‖ size as 8 bytes, big-endian), in
    hexadecimal
"""

from typing import Final

import xxhash

# Named in side files, so that a reader refuses a digest that was made in another way.
ALGORITHM: Final = "xxh3-chunks-1m"
# Small enough to stay in a core's second-level cache between hashing and summing, large enough that
# a file of 100 GiB has 800 kB of chunk digests.
CHUNK_BYTES: Final = 1 << 20


def chunk_digest(view: bytes | bytearray | memoryview) -> bytes:
    """Return the 8-byte digest of one chunk: `CHUNK_BYTES` long, or shorter if it is the file's
    last.
    """
    return xxhash.xxh3_64_digest(view)


def combine_digests(digests: bytes, size: int) -> str:
    """Return a file's digest as 32 hexadecimal digits.

    Args:
        digests: the 8-byte digests of all chunks, concatenated in the order of the file; empty for
            an empty file.
        size: the file's size in bytes.
    """
    return xxhash.xxh3_128_hexdigest(digests + size.to_bytes(8, "big"))


class ChunkDigest:
    """The digest of a stream of bytes, cut anyhow: `hexdigest` equals `combine_digests` over the
    chunks of the whole.
    """

    def __init__(self) -> None:
        self.size_bytes = 0
        self._digests = bytearray()
        self._chunk = xxhash.xxh3_64()

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Append `data` to the stream. A memoryview has to be of bytes (format B)."""
        view = memoryview(data)
        position = 0
        while position < len(view):
            piece = view[position : position + CHUNK_BYTES - self.size_bytes % CHUNK_BYTES]
            self._chunk.update(piece)
            position += len(piece)
            self.size_bytes += len(piece)
            if self.size_bytes % CHUNK_BYTES == 0:
                self._digests += self._chunk.digest()
                self._chunk.reset()

    def hexdigest(self) -> str:
        """Return the digest of everything so far; more may follow."""
        unfinished = self._chunk.digest() if self.size_bytes % CHUNK_BYTES else b""
        return combine_digests(bytes(self._digests) + unfinished, self.size_bytes)
