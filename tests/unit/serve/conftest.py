"""A store of the sample pipeline, and the service on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from qanat.interfaces import Store
from qanat.serve.app import create_app
from qanat.serve.served import Served
from qanat.session import held
from qanat.testing import FakeClock
from tests.unit.serve.sample import NOW, SAMPLE, sample_store


@pytest.fixture
def sample_clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def sample(tmp_path: Path, sample_clock: FakeClock) -> Iterator[Store]:
    """An empty store of the sample pipeline."""
    with sample_store(tmp_path, sample_clock) as opened:
        yield opened


@pytest.fixture
def sample_app(sample: Store, sample_clock: FakeClock) -> FastAPI:
    return create_app([Served(SAMPLE, held(sample))], clock=sample_clock)


@pytest.fixture
def asked(sample_app: FastAPI) -> TestClient:
    """Asks the service of the sample pipeline."""
    return TestClient(sample_app)
