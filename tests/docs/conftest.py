"""Lets the tests of the pages import what scripts/docs.py generates."""

import sys

from tests.docs.pages import CHECKOUT

# At the end: scripts/test.py must not hide Python's own package of that name.
sys.path.append(str(CHECKOUT / "scripts"))
