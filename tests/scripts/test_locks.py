"""The pinned packages are those that pyproject.toml asks for."""

import re
from collections.abc import Iterator

import pytest

from tests.scripts.declared import CHECKOUT, always, extras, groups, names


def pins(lock: str) -> Iterator[str]:
    """The logical lines of a lock: a pin with its hashes each."""
    text = (CHECKOUT / lock).read_text(encoding="utf-8")
    yield from text.replace("\\\n", " ").splitlines()


@pytest.mark.parametrize(
    ("lock", "expected"),
    [
        ("requirements.lock", always() | groups("build")),
        ("requirements-dev.lock", always() | extras() | groups("dev", "bench", "build")),
    ],
)
def test_every_package_asked_for_is_pinned(lock: str, expected: set[str]) -> None:
    """A dependency that was added without `scripts/lock.py` is named here."""
    assert sorted(expected - names(pins(lock))) == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_holds_exact_versions_with_hashes_and_no_address(lock: str) -> None:
    """What is installed is what was locked, from whichever registry it comes."""
    for pin in pins(lock):
        assert re.match(r"[a-z0-9-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", pin), pin
        assert "://" not in pin


def test_the_demo_uses_the_versions_that_are_tested() -> None:
    """The smaller lock is a part of the larger one."""
    assert sorted(set(pins("requirements.lock")) - set(pins("requirements-dev.lock"))) == []
