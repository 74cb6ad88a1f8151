"""An end is judged by what the service manager, or the parent, saw of it."""

import signal
import sys
from pathlib import Path

import pytest

from qanat.service.death import Death, memory_kills, told_by_manager, told_by_parent

SEEN_BY_SYSTEMD = [
    ({}, None),
    ({"SERVICE_RESULT": "success", "EXIT_CODE": "exited", "EXIT_STATUS": "0"}, None),
    (
        {"SERVICE_RESULT": "exit-code", "EXIT_CODE": "exited", "EXIT_STATUS": "1"},
        "metering died: it ended with an error (exit code 1: a stage, or a file, failed)",
    ),
    (
        {"SERVICE_RESULT": "oom-kill", "EXIT_CODE": "killed", "EXIT_STATUS": "KILL"},
        "metering died: the system ran out of memory and killed it (signal SIGKILL)",
    ),
    (
        {"SERVICE_RESULT": "watchdog", "EXIT_CODE": "dumped", "EXIT_STATUS": "ABRT"},
        "metering died: it got nowhere for too long, and was ended (signal SIGABRT)",
    ),
    (
        {"SERVICE_RESULT": "signal", "EXIT_CODE": "killed", "EXIT_STATUS": "KILL"},
        "metering died: a signal ended it (signal SIGKILL)",
    ),
    (
        {"MONITOR_SERVICE_RESULT": "timeout", "MONITOR_UNIT": "other.service"},
        "other.service died: it took too long to start or to stop, and was ended",
    ),
    ({"SERVICE_RESULT": "of-tomorrow"}, "metering died: of-tomorrow"),
]


@pytest.mark.parametrize(("environment", "expected"), SEEN_BY_SYSTEMD)
def test_what_systemd_says(environment: dict[str, str], expected: str | None) -> None:
    """Its variables, those of ExecStopPost= and those of a unit started by OnFailure=, become a sentence."""
    death = told_by_manager("metering", environment)
    assert expected == (death.text if death else None)


def test_given_up_is_told_even_without_a_reason() -> None:
    """An older systemd doesn't tell the other unit why."""
    death = told_by_manager("metering", {}, given_up=True)
    assert death is not None
    assert death.text.endswith("doesn't say of what; it isn't started again")


@pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")
@pytest.mark.parametrize(
    ("code", "hung", "out_of_memory", "expected"),
    [
        (0, False, True, None),
        (2, False, False, ("exit-code", 2, "")),
        (-signal.SIGTERM, False, True, ("signal", None, "SIGTERM")),
        (-9, False, False, ("signal", None, "SIGKILL")),
        (-9, False, True, ("oom-kill", None, "SIGKILL")),
        (-9, True, True, ("watchdog", None, "SIGKILL")),
        (-signal.SIGSEGV, False, True, ("core-dump", None, "SIGSEGV")),
        (-signal.SIGABRT, True, False, ("watchdog", None, "SIGABRT")),
    ],
)
def test_what_a_parent_sees(
    code: int, hung: bool, out_of_memory: bool, expected: tuple[str, int | None, str] | None
) -> None:
    """SIGKILL alone says nothing of memory; with a kill that the system counted it does."""
    death = told_by_parent("metering", code, hung=hung, out_of_memory=out_of_memory)
    assert expected == (death and (death.reason, death.exit_code, death.signal))


def test_memory_kills_are_counted_in_the_own_group(tmp_path: Path) -> None:
    """The number is that of this process's group; a system that has none counts as no kill."""
    own = tmp_path / "cgroup"
    own.write_text("1:name=systemd:/elsewhere\n0::/system.slice/qanat.service\n")
    group = tmp_path / "fs" / "system.slice" / "qanat.service"
    group.mkdir(parents=True)
    assert 0 == memory_kills(tmp_path / "fs", own)
    (group / "memory.events").write_text("low 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 1\n")
    assert 2 == memory_kills(tmp_path / "fs", own)
    assert 0 == memory_kills(tmp_path / "fs", tmp_path / "not there")


def test_fields_are_whole() -> None:
    """Whoever reads JSON gets the sentence, too."""
    fields = Death("metering", "signal", signal="SIGKILL").fields()
    assert {"name", "reason", "exit_code", "signal", "given_up", "text"} == set(fields)
