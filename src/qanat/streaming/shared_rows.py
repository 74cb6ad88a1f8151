"""Arrow tables in memory without a name that two processes share: one writes them, the other reads them where they are."""

import mmap
import os
import tempfile
from collections.abc import Sequence

import pyarrow as pa

# What is taken beyond the need when the memory grows, so that batches that become larger step by step don't grow it each time.
_SPARE = 8
_ZEROS = bytes(1 << 20)
# Arrow's buffers begin at multiples of this.
_ALIGNED_BYTES = 64


class SharedRows:
    """Memory that grows as needed, and ends with the last process that has its descriptor."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._map: mmap.mmap | None = None

    @classmethod
    def nameless(cls) -> "SharedRows":
        """Make some: in no folder where there is `memfd`, and in a file that is deleted already elsewhere."""
        if hasattr(os, "memfd_create"):
            return cls(os.memfd_create("qanat-rows"))
        with tempfile.TemporaryFile() as file:
            return cls(os.dup(file.fileno()))

    def write(self, tables: Sequence[pa.Table]) -> list[int]:
        """Write tables one behind the other, over what was there; return the bytes of each.

        Raises:
            OSError: There isn't so much memory.
        """
        lengths = [_length(table) for table in tables]
        whole = self.view(sum(lengths), grow=True)
        at = 0
        for table, length in zip(tables, lengths, strict=True):
            _write(table, pa.FixedSizeBufferWriter(pa.py_buffer(whole[at : at + length])))
            at += length
        return lengths

    def view(self, length: int, *, grow: bool = False) -> memoryview:
        """Return the first bytes as they are in the memory; the next write changes them."""
        if self._map is None or len(self._map) < length:
            if grow:
                self._grow(length)
            # The old one goes with the last table in it.
            self._map = mmap.mmap(self.descriptor, os.fstat(self.descriptor).st_size)
        return memoryview(self._map)[:length]

    def copied(self, lengths: Sequence[int]) -> list[pa.Table]:
        """Return tables that stay as they are whatever is written."""
        copy = pa.allocate_buffer(sum(lengths))
        # Arrow lets other threads go on meanwhile.
        pa.FixedSizeBufferWriter(copy).write(pa.py_buffer(self.view(sum(lengths))))
        tables, at = [], 0
        for length in lengths:
            tables.append(read(copy.slice(at, length)))
            at += length
        return tables

    def close(self) -> None:
        """Give it back; the memory itself goes with the last view of it."""
        self._map = None
        os.close(self.descriptor)

    def _grow(self, length: int) -> None:
        """Write zeros, because memory that is promised only and then isn't there ends a process that touches it."""
        size = os.fstat(self.descriptor).st_size
        wanted = length + length // _SPARE
        wanted += -wanted % mmap.PAGESIZE
        while size < wanted:
            size += os.pwrite(self.descriptor, _ZEROS[: wanted - size], size)


def read(buffer: pa.Buffer) -> pa.Table:
    """Return a table that lies in a buffer, without a copy."""
    with pa.ipc.open_stream(buffer) as reader:
        return reader.read_all()


def _length(table: pa.Table) -> int:
    sink = pa.MockOutputStream()
    _write(table, sink)
    length = int(sink.size())
    return length + -length % _ALIGNED_BYTES


def _write(table: pa.Table, sink: pa.NativeFile) -> None:
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
