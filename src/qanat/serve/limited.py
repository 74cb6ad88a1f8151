"""A session whose statements have to end in time: nobody's question keeps the store from the others'."""

import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from qanat.interfaces import Scalar
from qanat.records import Worker
from qanat.session import Json, Session

if TYPE_CHECKING:
    import pyarrow as pa


class LimitedSession:
    """A `Session` around another one; see there.

    Attributes:
        statement_s_max: How long a statement may take. What is streamed may take longer, as whoever reads it does.
    """

    def __init__(self, session: Session, statement_s_max: float, statements_max: int) -> None:
        """Wrap a session.

        Args:
            session: What is asked.
            statement_s_max: See the class.
            statements_max: So many statements run at a time; more wait.
        """
        self._session = session
        self._places = threading.BoundedSemaphore(statements_max)
        self.statement_s_max = statement_s_max

    def query(
        self, sql: str, parameters: Mapping[str, Scalar] | None = None, *, limit_s: float = 0.0
    ) -> "pa.Table":
        """See `Session`; the shorter limit holds, and begins when the statement does."""
        limit_s = min(limit_s or self.statement_s_max, self.statement_s_max)
        with self._places:
            return self._session.query(sql, parameters, limit_s=limit_s)

    def stream(
        self, sql: str, parameters: Mapping[str, Scalar] | None = None, *, limit_s: float = 0.0
    ) -> "AbstractContextManager[pa.RecordBatchReader]":
        """See `Session`."""
        return self._session.stream(sql, parameters, limit_s=limit_s)

    def call(self, operation: str, **arguments: Json) -> dict[str, Json]:
        """See `Session`."""
        return self._session.call(operation, **arguments)

    def workers(self) -> Sequence[Worker]:
        """See `Session`."""
        return self._session.workers()

    def close(self) -> None:
        """See `Session`."""
        self._session.close()
