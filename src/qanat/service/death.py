"""How a run died, in words: from what the service manager says, or from the exit code that its parent saw."""

import signal
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

OUT_OF_MEMORY = "oom-kill"
WATCHDOG = "watchdog"

REASONS: dict[str, str] = {
    "exit-code": "it ended with an error",
    "signal": "a signal ended it",
    "core-dump": "it crashed",
    WATCHDOG: "it got nowhere for too long, and was ended",
    "timeout": "it took too long to start or to stop, and was ended",
    OUT_OF_MEMORY: "the system ran out of memory and killed it",
    "start-limit-hit": "it died too often",
    "protocol": "it ended before it was ready",
    "resources": "the system had no room for it",
    "exec-condition": "a condition for its start didn't hold",
    "unknown": "the service manager doesn't say of what",
}
"""The words of systemd's `$SERVICE_RESULT`, which are ours too, and what they mean."""

# Exit codes that say more than that it failed.
_CODES = {1: "a stage, or a file, failed", 2: "it was started wrongly; a restart can't help"}


@dataclass(frozen=True, slots=True)
class Death:
    """An abnormal end.

    Attributes:
        name: What died: a unit, or a pipeline.
        reason: A key of REASONS, or a word of the manager's that isn't there.
        exit_code: What it ended with; None if a signal ended it.
        signal: The signal that ended it, such as SIGKILL; empty otherwise.
        given_up: It isn't started again.
    """

    name: str
    reason: str
    exit_code: int | None = None
    signal: str = ""
    given_up: bool = False

    @property
    def text(self) -> str:
        """The whole of it in a sentence."""
        what = REASONS.get(self.reason, self.reason)
        how = f"signal {self.signal}" if self.signal else ""
        if self.exit_code is not None:
            why = _CODES.get(self.exit_code, "")
            how = f"exit code {self.exit_code}{': ' if why else ''}{why}"
        after = "; it isn't started again" if self.given_up else ""
        return f"{self.name} died: {what}{f' ({how})' if how else ''}{after}"

    def fields(self) -> dict[str, object]:
        """Everything, for a program that reads it."""
        return {**asdict(self), "text": self.text}


def told_by_manager(
    name: str, environment: Mapping[str, str], *, given_up: bool = False
) -> Death | None:
    """Read what systemd leaves in the environment of `ExecStopPost=`, and of a unit that `OnFailure=` starts.

    Returns None when it ended in order, or when the environment says nothing of an end; but what is `given_up` has died.
    """
    for prefix in ("MONITOR_", ""):
        result = environment.get(f"{prefix}SERVICE_RESULT", "")
        if result:
            break
    if result in {"", "success"}:
        return Death(name, "unknown", given_up=True) if given_up else None
    status = environment.get(f"{prefix}EXIT_STATUS", "")
    unit = environment.get("MONITOR_UNIT", name) if prefix else name
    if status.isdecimal():
        return Death(unit, result, exit_code=int(status), given_up=given_up)
    return Death(unit, result, signal=f"SIG{status}" if status else "", given_up=given_up)


def told_by_parent(name: str, exit_code: int, *, hung: bool, out_of_memory: bool) -> Death | None:
    """Judge an exit code as `subprocess` gives it, negative for a signal; None when it ended in order.

    Args:
        name: What ended.
        exit_code: With what.
        hung: Its watchdog ended it.
        out_of_memory: The system has killed something for want of memory meanwhile.
    """
    if exit_code == 0:
        return None
    if exit_code > 0:
        return Death(name, WATCHDOG if hung else "exit-code", exit_code=exit_code)
    number = signal.Signals(-exit_code)
    killed = number.name == "SIGKILL"
    crashed = number.name in {"SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV"}
    reason = "core-dump" if crashed else "signal"
    if hung:
        reason = WATCHDOG
    elif killed and out_of_memory:
        reason = OUT_OF_MEMORY
    return Death(name, reason, signal=number.name)


def memory_kills(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """Count the processes of our control group that the kernel killed for want of memory; 0 where it doesn't tell.

    The group is found as cgroups(7) says: the line that begins with `0::` names it, from the root of the hierarchy.
    """
    try:
        lines = own.read_text().splitlines()
        group = next((line[3:] for line in lines if line.startswith("0::")), "/")
        events = (root / group.lstrip("/") / "memory.events").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in events if line.startswith("oom_kill "))
