"""Runs the tests: `python3 scripts/test.py`, or with pytest's own arguments to run some of them.

    python3 scripts/test.py tests/unit -k rollup
    python3 scripts/test.py -n 0 --pdb tests/laws

A service that is missing leaves its tests out, and the end of the output says which and why. In CI
(CI=true, or QANAT_REQUIRE_SERVICES=1) it fails them.
"""

import os
import sys

from _environment import CHECKOUT, main
from _services import prepare_sshd

# Each worker compiles the kernels and may start a PostgreSQL: more of them than this wait for one
# another on any machine that was tried.
WORKERS_MAX = 8

if __name__ == "__main__":
    os.chdir(CHECKOUT)
    prepare_sshd()
    in_ci = os.environ.get("CI", "").lower() in ("1", "true")
    required = os.environ.get("QANAT_REQUIRE_SERVICES", "1" if in_ci else "")
    workers = ["-n", "auto", "--maxprocesses", str(WORKERS_MAX), "--dist", "loadgroup"]
    # -P: the folder of the script isn't a place to import from (its test.py would hide Python's).
    run = ["python", "-P", "scripts/_left_out.py", *workers, *sys.argv[1:]]
    main("dev", run, {"QANAT_REQUIRE_SERVICES": required})
