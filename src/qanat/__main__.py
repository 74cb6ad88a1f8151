"""`python -m qanat`: the command."""

import sys

from qanat.cli import program

sys.exit(program())
