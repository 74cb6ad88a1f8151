"""Lets the tests of the scripts import them."""

import sys
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
# At the end: scripts/test.py must not hide Python's own package of that name.
sys.path.append(str(SCRIPTS))
