"""Transforms with a process beside the tests."""

import importlib
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import cast

import pyarrow as pa

from qanat.runtime.stream_topics import Transform
from qanat.streaming.transforming import Transforming

NOW = datetime(2026, 3, 17, 10, 20, 30, 123456, tzinfo=UTC)
FUNCTIONS = "tests.unit.streaming.functions"
WITHIN_S = 60.0


def rows_of(count: int) -> pa.Table:
    return pa.table({"id": range(count), "text": [f"record {number}" for number in range(count)]})


def of(reference: str) -> Transforming:
    """A transform by its name, not yet called."""
    module, _, attribute = reference.partition(":")
    function = cast("Transform", getattr(importlib.import_module(module), attribute))
    return Transforming("count", reference, function)


def begun(reference: str, rows: pa.Table | None = None) -> Transforming:
    """A transform that was called once, and whose process is ready."""
    transform = of(reference)
    with suppress(ValueError):
        transform(rows_of(3_000) if rows is None else rows, NOW)
    await_ready(transform)
    return transform


def await_ready(transform: Transforming) -> None:
    process = transform._process
    assert process is not None
    until_s = time.monotonic() + WITHIN_S
    while not process.is_ready(transform._began):
        assert time.monotonic() < until_s
        time.sleep(0.01)
