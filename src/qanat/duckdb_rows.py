"""Rows on their way into DuckDB and out of it, for its store and its engine alike.

In: a name behind which the rows change, so that what is bound once serves every batch. Out: small results by way of NumPy. A
relation is planned twice, once for its columns and once for its rows; a statement that is executed only once. Its rows as Arrow
DuckDB gives under a warning, its values exactly for the types here. Where each statement takes 1 to 3 ms that is half of it; a
large result comes faster as Arrow.
"""

from collections.abc import Mapping, Sequence

import duckdb
import numpy as np
import pyarrow as pa

ROWS_MAX = 2_000
"""More rows cost more as Python's texts than is saved by planning once."""

_KINDS: Mapping[str, pa.DataType] = {
    "BIGINT": pa.int64(),
    "INTEGER": pa.int32(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "VARCHAR": pa.string(),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC"),
}


class Relation:
    """Rows of one schema, to be registered with a connection. Registering anew makes a view: half a millisecond.

    Attributes:
        rows: What DuckDB reads when a statement runs.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self._empty = schema.empty_table()
        self.rows = self._empty

    def clear(self) -> None:
        """Have no rows, and keep none alive."""
        self.rows = self._empty

    def __arrow_c_schema__(self) -> object:
        """Arrow's own interface: what DuckDB asks when a statement is prepared."""
        return self.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Arrow's own interface: what DuckDB asks when a statement runs."""
        return self.rows.__arrow_c_stream__(requested_schema)


def is_small(rows: pa.Table) -> bool:
    """Tell whether a result could as well have come by `small_rows`."""
    kinds = frozenset(_KINDS.values())
    small = rows.num_rows <= ROWS_MAX and _differ(rows.column_names)
    return small and all(kind in kinds for kind in rows.schema.types)


def small_rows(executed: duckdb.DuckDBPyConnection) -> pa.Table | None:
    """Return the rows of a statement that was just executed; None where they have other types than these."""
    told = executed.description or []
    names = [str(column[0]) for column in told]
    kinds = [_KINDS.get(str(column[1])) for column in told]
    if None in kinds or not _differ(names):
        executed.abort()  # or nothing else can be asked
        return None
    found = executed.fetchnumpy()
    arrays = [_array(found[name], kind) for name, kind in zip(names, kinds, strict=True)]
    return pa.Table.from_arrays(arrays, names=names)


def _differ(names: Sequence[str]) -> bool:
    # NumPy's columns come by name, and DuckDB makes no difference between small and capital letters.
    return len({name.casefold() for name in names}) == len(names)


def _array(values: "np.ndarray[tuple[int], np.dtype[np.generic]]", kind: pa.DataType) -> pa.Array:
    if hasattr(values, "mask"):  # only what has nulls is masked
        return pa.array(values.data, kind, mask=np.broadcast_to(values.mask, values.shape))
    # Without the import of numpy.ma, 10 ms, which Arrow needs to look at an array of NumPy's.
    if values.dtype.kind in "ifM":
        return pa.Array.from_buffers(
            kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))]
        )
    return pa.array(values.tolist(), kind)
