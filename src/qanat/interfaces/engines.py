"""What runs SQL on rows."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from qanat.interfaces.outputs import Scalar
from qanat.tables import Column

if TYPE_CHECKING:
    import pyarrow as pa


class Statement(Protocol):
    """A statement that was checked; `qanat.sql.check` makes it."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of its result, in order."""
        ...

    @property
    def parameters(self) -> frozenset[str]:
        """The names of the parameters in it."""
        ...

    def text_for(self, engine: str) -> str:
        """Return what an engine runs.

        Raises:
            ConfigError: There is no text for it.
        """
        ...


class Engine(Protocol):
    """What runs transforms in SQL. One thread uses it: each stage has its own."""

    def check(
        self, statement: Statement, inputs: Mapping[str, Sequence[Column]]
    ) -> Sequence[Column]:
        """Have the engine itself look at a statement, before there are rows; return the columns of its result.

        Raises:
            Fatal: The engine doesn't accept it.
        """
        ...

    def run(
        self,
        statement: Statement,
        relations: Mapping[str, "pa.Table"],
        parameters: Mapping[str, Scalar] | None = None,
    ) -> "pa.Table":
        """Run a statement over `relations`; return its rows in the types of its columns.

        Relations and parameters that it doesn't name are ignored.

        Raises:
            TooLarge: It doesn't fit into memory; the runtime halves the batch.
            Retryable: It failed for now.
            Fatal: The engine refuses it, or a value can't be computed (an integer that doesn't fit).
        """
        ...

    def close(self) -> None:
        """Give back what it holds; closing twice is harmless."""
        ...
