"""What the service serves: pipelines, each with the way to its store, and the limits that hold for all."""

from collections.abc import Sequence
from dataclasses import dataclass

from qanat.interfaces import Capabilities
from qanat.pipeline import Pipeline
from qanat.session import Session
from qanat.tables import Table
from qanat.telemetry import Telemetry

EMBEDDED = Capabilities(transactional=True, shared=False)


@dataclass(frozen=True, slots=True)
class Served:
    """One pipeline that is served.

    Attributes:
        pipeline: What is declared; every endpoint is made from it.
        session: How its store is reached. Used by several threads at a time.
        telemetry: The counters of the run in this process; None when it runs elsewhere, or not at all.
        capabilities: What its store can do; the guarantees of the edges follow from it.
    """

    pipeline: Pipeline
    session: Session
    telemetry: Telemetry | None = None
    capabilities: Capabilities = EMBEDDED

    def has(self, table: str) -> bool:
        """Tell whether the pipeline declares a table of this name."""
        return any(each.name == table for each in self.pipeline.tables)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be asked of the service at a time.

    Attributes:
        requests_max: Answered at a time; more are told to come again.
        streams_max: Of events, open at a time.
        streams_per_client_max: Of these, from one address.
        query_bytes_max: Of a request's query string.
        path_bytes_max: Of its path, as it was sent.
        body_bytes_max: Of its body. The only bodies are corrected lines, of 4 kB at most.
        statement_s_max: How long the store may work on one answer.
        statements_max: On how many it may work at a time, for one pipeline; more wait. Each keeps what it reads in the store's
            memory: with 40, as many as the service has threads, 192 MiB didn't hold look-ups into 3 million rows.
    """

    requests_max: int = 256
    streams_max: int = 256
    streams_per_client_max: int = 32
    query_bytes_max: int = 8_192
    path_bytes_max: int = 4_096
    body_bytes_max: int = 65_536
    statement_s_max: float = 10.0
    statements_max: int = 8


LIMITS = Limits()


def names(several: Sequence[Served]) -> list[str]:
    """Return the names of the pipelines, in order."""
    return [each.pipeline.name for each in several]


def table_of(served: Served, name: str) -> Table | None:
    """Return a declared table; None when there is none of this name."""
    return next((each for each in served.pipeline.tables if each.name == name), None)
