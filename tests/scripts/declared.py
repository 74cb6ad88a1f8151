"""What pyproject.toml says about dependencies, for the tests beside this file."""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
DECLARATION = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))

_NAME = re.compile(r"[A-Za-z0-9._-]+")


def always() -> set[str]:
    """The packages that are installed with the library."""
    return names(DECLARATION["project"]["dependencies"])


def extras() -> set[str]:
    """The packages of all extras."""
    listed = DECLARATION["project"]["optional-dependencies"].values()
    return names(each for extra in listed for each in extra) - {"qanat"}


def groups(*wanted: str) -> set[str]:
    """The packages that these dependency groups name themselves."""
    listed = [each for group in wanted for each in DECLARATION["dependency-groups"][group]]
    return names(each for each in listed if isinstance(each, str))


def names(requirements: Iterable[str]) -> set[str]:
    """The packages of some requirements, spelled as a lock spells them."""
    found = (_NAME.match(each) for each in requirements)
    return {re.sub(r"[-_.]+", "-", match[0]).lower() for match in found if match}
