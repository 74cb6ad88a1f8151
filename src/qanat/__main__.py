"""`python -m qanat`: the command."""

import sys

from qanat.cli import main

sys.exit(main())
