"""Shows the metering pipeline at work: `python3 scripts/demo.py`.

Makes the environment `.venv` if there is none yet, then runs `qanat demo metering` with the
arguments given. Needs only Python, and the package registry that your pip is set up for.
"""

import sys

from _environment import main

if __name__ == "__main__":
    main("demo", ["qanat", "demo", "metering", *sys.argv[1:]], {})
