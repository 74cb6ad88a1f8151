"""Writes the generated parts of the documentation anew: `python3 scripts/docs.py`.

They stand between `<!-- generated: NAME -->` and `<!-- end -->` in README.md and in the pages of
docs/. With `--check` nothing is written; the exit code is 1 if a page is out of date.
"""

import os
import sys

from _environment import CHECKOUT, main

if __name__ == "__main__":
    os.chdir(CHECKOUT)
    main("dev", ["python", "scripts/_docs.py", *sys.argv[1:]], {})
