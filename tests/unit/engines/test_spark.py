"""Spark as an engine, without Spark: what is said when it isn't there. What it computes is compared in tests/parity."""

import sys

import pytest

from qanat.engines.spark import SparkEngine
from qanat.errors import MissingExtra


def test_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the extra."""
    monkeypatch.setitem(sys.modules, "pyspark", None)
    monkeypatch.setitem(sys.modules, "pyspark.errors", None)
    with pytest.raises(MissingExtra, match=r"qanat\[spark\]"):
        SparkEngine()
