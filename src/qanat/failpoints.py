"""Named points at which a fault can be injected: `qanat prove` kills, raises and pauses here.

`QANAT_FAILPOINTS` holds rules `point=action[@nth]` separated by commas. An action is `kill` (SIGKILL to this very
process), `raise` (a `Retryable`), `disk-full` (an `OSError` with ENOSPC) or `sleep:SECONDS`. `@nth` picks the nth time the
point is reached (1 by default); `@*` means every time. Without the variable `reach` costs one dictionary look-up.
"""

import errno
import os
import signal
import threading
import time
from dataclasses import dataclass

from qanat.errors import ConfigError, Retryable

VARIABLE = "QANAT_FAILPOINTS"

# Every point there is, in the order in which a file passes them. `prove` visits each; a point that isn't listed here can't
# be reached (reach() refuses it), so the list can't lag behind the code.
POINTS: dict[str, str] = {
    "fetch.partial": "some of a remote file has come, the rest hasn't",
    "fetch.complete": "a remote file has come and was compared, its copy isn't taken in",
    "fetch.taken_in": "a remote file's copy is taken in, nobody knows of it yet",
    "register.before_commit": "new files are entered, not yet committed",
    "register.after_commit": "new files are registered",
    "plan.before_commit": "a large file's parts are planned, not yet committed",
    "plan.after_commit": "a large file's parts are planned",
    "part.staged": "a part's sums are staged, its ledger id isn't entered",
    "part.before_commit": "a part's ledger id is entered, not yet committed",
    "part.after_commit": "a part is staged and entered",
    "count.entered": "a file's ledger id is entered, no row is written yet",
    "count.merged": "a file's sums are merged, its row isn't closed",
    "count.before_commit": "a file's transaction is complete, not yet committed",
    "count.after_commit": "a file is counted, not yet moved",
    "move.before": "a counted file is about to be moved",
    "move.after": "a counted file is moved, its row doesn't say so yet",
    "rollup.before_commit": "a roll-up is complete, not yet committed",
    "rollup.after_commit": "a roll-up is committed",
    "batch.published": "a batch is published in a topic, what it rejected isn't yet",
    "batch.told_apart": "a batch's new records are entered where they are told apart, in no other table",
    "batch.relayed": "dead letters of a topic are in their table, not yet committed",
    "batch.before_commit": "a batch of a stream is complete, not yet committed",
    "batch.after_commit": "a batch of a stream is committed, not yet acknowledged",
    "report.before_commit": "a report is made or remade, not yet committed",
    "report.after_commit": "a report is made or remade, and committed",
    "backfill.slice_committed": "a slice of a rebuilt table is committed",
    "backfill.before_swap": "a rebuilt table has taken the live one's place, not yet committed",
    "backfill.after_swap": "a rebuilt table has taken the live one's place",
}


@dataclass(slots=True)
class _Rule:
    action: str
    nth: int | None
    reached: int = 0


def _parse(text: str) -> dict[str, _Rule]:
    rules: dict[str, _Rule] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        point, _, action = part.partition("=")
        action, _, nth = action.partition("@")
        if point not in POINTS:
            raise ConfigError(VARIABLE, point, f"one of {', '.join(POINTS)}")
        if action.partition(":")[0] not in {"kill", "raise", "disk-full", "sleep"}:
            raise ConfigError(VARIABLE, action, "kill, raise, disk-full or sleep:SECONDS")
        rules[point] = _Rule(action, None if nth == "*" else int(nth or 1))
    return rules


_rules = _parse(os.environ.get(VARIABLE, ""))
_lock = threading.Lock()


def arm(text: str) -> None:
    """Replace this process's rules by those in `text` (the same form as the variable)."""
    global _rules  # noqa: PLW0603 - one set of rules per process, as one environment variable
    _rules = _parse(text)


def reach(point: str) -> None:
    """Say that `point` is reached; carry out the fault that is armed for it, if any."""
    rule = _rules.get(point)
    if rule is None:
        if point not in POINTS:
            raise KeyError(f"{point!r} isn't in failpoints.POINTS")
        return
    with _lock:
        rule.reached += 1
        due = rule.nth is None or rule.reached == rule.nth
    if due:
        _act(point, rule.action)


def _act(point: str, action: str) -> None:
    if action == "kill":
        # SIGKILL doesn't exist on Windows; SIGTERM there is TerminateProcess, as abrupt.
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        time.sleep(60)  # the signal arrives within microseconds; nothing may run on meanwhile
    if action == "raise":
        raise Retryable(f"injected at {point}", after_s=0.0)
    if action == "disk-full":
        raise OSError(errno.ENOSPC, f"injected at {point}")
    time.sleep(float(action.partition(":")[2]))
