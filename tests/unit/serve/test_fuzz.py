"""Whatever is asked, by the service's own description: no error of the server, and no answer outside of its description."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from qanat.pipelines.metering import PIPELINE
from qanat.pipelines.metering.operations import operations
from qanat.runtime.stage_states import STAGE_STATES
from qanat.serve.app import create_app
from qanat.serve.served import Served
from qanat.session import held
from qanat.tables import DEAD_LETTERS
from qanat.testing import FakeClock
from tests.unit.reports.metered import MIXED, fill, store_at
from tests.unit.serve.sample import (
    KINDS,
    NOW,
    PAGES,
    SAMPLE,
    kind,
    letter,
    make_hourly,
    page,
    sample_store,
    state,
    write,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = 10
# A stream doesn't end; an alarm is answered with 503 on purpose.
BESIDE = ("/live", "/health")


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaseSchema]:
    """Both pipelines on DuckDB with something in every table."""
    clock = FakeClock(NOW)
    folder = tmp_path_factory.mktemp("fuzz")
    with sample_store(folder, clock) as sample, store_at("duckdb:", folder) as metered:
        write(sample, PAGES, [page(number) for number in range(20)])
        write(sample, KINDS, [kind(number) for number in range(20)])
        write(sample, STAGE_STATES, [state("ingest"), state("store", lag=None)])
        write(sample, DEAD_LETTERS, [letter(number) for number in range(5)])
        make_hourly(sample, NOW.replace(minute=0), NOW)
        fill(metered, MIXED)
        served = [
            Served(SAMPLE, held(sample)),
            Served(PIPELINE, held(metered, operations(clock=clock))),
        ]
        app = create_app(served, clock=clock)
        yield schemathesis.openapi.from_asgi("/openapi.json", app)


def operations_of_both() -> list[tuple[str, str]]:
    """Path and method of all that is described."""
    nobody = held(None)  # type: ignore[arg-type]  # nothing is asked
    app = create_app([Served(SAMPLE, nobody), Served(PIPELINE, nobody)])
    paths = app.openapi()["paths"]
    return [(path, method) for path, methods in paths.items() for method in methods if not path.endswith(BESIDE)]  # fmt: skip


@pytest.mark.parametrize(("path", "method"), operations_of_both())
def test_whatever_is_asked(described: BaseSchema, path: str, method: str) -> None:
    """Each operation, with what fits its description and what doesn't."""
    operation = described[path][method.upper()]
    cases = operation.as_strategy() | operation.as_strategy(GenerationMode.NEGATIVE)

    @given(cases)
    @settings(max_examples=EXAMPLES, derandomize=True, suppress_health_check=list(HealthCheck))
    def asked(case: "schemathesis.Case[Any]") -> None:
        case.call_and_validate(checks=CHECKS)

    asked()
