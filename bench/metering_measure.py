"""Running a program to its end: how long it took, and how much memory of its own it had at most. Linux."""

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# The memory of a process is walked page by page for each sample, which slows it down: memory is measured in runs of its own.
SAMPLE_EVERY_S = 0.02
ERROR_LINES = 5


class ProgramFailed(Exception):
    """A program ended with another code than 0."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of a program.

    Attributes:
        wall_s: From the start of the process to its end.
        cpu_s: Processor time of it and its children, which other programs on the machine disturb less.
        output: What it printed.
    """

    wall_s: float
    cpu_s: float
    output: str


@dataclass(frozen=True, slots=True)
class Memory:
    """The most that a program and its children had, over all samples.

    Attributes:
        private_bytes: Pages that no other process has mapped: its own, and those of files that it alone has mapped.
        anonymous_bytes: Those without a file behind them.
    """

    private_bytes: int
    anonymous_bytes: int


class Program:
    """A program that was started; its output is kept."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `wait`
        self._command = command
        self._started_s = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )

    def running(self) -> bool:
        """Tell whether it has not ended yet."""
        found = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return found is None

    def memory(self) -> Memory:
        """Return what it and its children have now."""
        samples = [_memory(pid) for pid in _tree(self._process.pid)]
        return Memory(
            sum(sample.private_bytes for sample in samples),
            sum(sample.anonymous_bytes for sample in samples),
        )

    def wait(self) -> Ran:
        """Wait for its end.

        Raises:
            ProgramFailed: It ended with another code than 0.
        """
        _, status, usage = os.wait4(self._process.pid, 0)
        wall_s = time.perf_counter() - self._started_s
        self._process.returncode = os.waitstatus_to_exitcode(status)
        with self._output as file:
            file.seek(0)
            output = file.read().decode(errors="replace")
        if self._process.returncode:
            last = "\n".join(output.splitlines()[-ERROR_LINES:])
            raise ProgramFailed(
                f"{' '.join(self._command[:4])} …: {self._process.returncode}\n{last}"
            )
        return Ran(wall_s, usage.ru_utime + usage.ru_stime, output)


def timed(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Ran:
    """Run a program, undisturbed."""
    return Program(command, environment).wait()


def sampled(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Memory:
    """Run a program and watch its memory."""
    program = Program(command, environment)
    private = anonymous = 0
    while program.running():
        now = program.memory()
        private = max(private, now.private_bytes)
        anonymous = max(anonymous, now.anonymous_bytes)
        time.sleep(SAMPLE_EVERY_S)
    program.wait()
    return Memory(private, anonymous)


def _tree(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:  # it ended meanwhile
            continue
        for child in children:
            found += _tree(int(child))
    return found


def _memory(pid: int) -> Memory:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:  # it ended meanwhile
        return Memory(0, 0)
    sizes = {
        name: int(rest.split()[0]) << 10
        for name, _, rest in (line.partition(":") for line in lines)
    }
    private = sizes.get("Private_Clean", 0) + sizes.get("Private_Dirty", 0)
    return Memory(private, sizes.get("Anonymous", 0))
