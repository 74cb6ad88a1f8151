"""A relation of DuckDB behind whose name the rows change: what is bound once serves every batch."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


class Relation:
    """Rows of one schema, to be registered with a connection. Registering anew makes a view: half a millisecond.

    Attributes:
        rows: What DuckDB reads when a statement runs.
    """

    def __init__(self, schema: "pa.Schema") -> None:
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
