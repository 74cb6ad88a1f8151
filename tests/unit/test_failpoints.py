"""Points at which a fault can be injected."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from qanat import failpoints
from qanat.errors import ConfigError, Retryable

POINT = "count.before_commit"
OTHER = "count.after_commit"


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    """Leave no rule behind."""
    yield
    failpoints.arm("")


def reached_raising(times: int, point: str = POINT) -> list[bool]:
    """Reach a point so many times; return which times it raised."""
    raised = []
    for _ in range(times):
        try:
            failpoints.reach(point)
            raised.append(False)
        except Retryable:
            raised.append(True)
    return raised


def test_without_rules_nothing_happens() -> None:
    """Every declared point can be passed."""
    for point in failpoints.POINTS:
        failpoints.reach(point)


def test_unknown_point_is_a_mistake() -> None:
    """A point that isn't in the list can't be reached, so the list can't lag behind the code."""
    with pytest.raises(KeyError, match=r"count\.never"):
        failpoints.reach("count.never")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (f"{POINT}=raise", [True, False, False, False]),
        (f"{POINT}=raise@3", [False, False, True, False]),
        (f"{POINT}=raise@*", [True, True, True, True]),
        (f" {POINT}=raise@2 , {OTHER}=raise", [False, True, False, False]),
        (f"{OTHER}=raise@*", [False, False, False, False]),
        ("", [False, False, False, False]),
    ],
)
def test_nth_time(rule: str, expected: list[bool]) -> None:
    """A rule acts the first time, the nth time or every time, and at its own point alone."""
    failpoints.arm(rule)
    assert expected == reached_raising(4)


def test_several_rules() -> None:
    """Rules for several points are independent of each other."""
    failpoints.arm(f"{POINT}=raise,{OTHER}=raise@2")
    assert [True, False] == reached_raising(2)
    assert [False, True] == reached_raising(2, OTHER)


def test_arming_replaces() -> None:
    """Arming again forgets the rules that were, and how often they were reached."""
    failpoints.arm(f"{POINT}=raise@2")
    assert [False] == reached_raising(1)
    failpoints.arm(f"{POINT}=raise@2")
    assert [False, True] == reached_raising(2)


def test_disk_full() -> None:
    """A full disk looks as the system reports it."""
    failpoints.arm(f"{POINT}=disk-full")
    with pytest.raises(OSError, match="injected") as caught:
        failpoints.reach(POINT)
    assert errno.ENOSPC == caught.value.errno


def test_sleep() -> None:
    """A pause ends, and the work goes on."""
    failpoints.arm(f"{POINT}=sleep:0.01")
    failpoints.reach(POINT)


@pytest.mark.parametrize("text", ["count.never=kill", f"{POINT}=explode", POINT, f"{POINT}="])
def test_invalid_rules(text: str) -> None:
    """A rule for an unknown point, or with an unknown action, is refused and the valid ones
    are named.
    """
    with pytest.raises(ConfigError, match="QANAT_FAILPOINTS") as caught:
        failpoints.arm(text)
    assert "kill" in caught.value.valid or POINT in caught.value.valid


def test_kill_from_the_environment() -> None:
    """The variable arms a process from its start, and a kill ends it without clearing up."""
    program = (
        "import atexit, sys\n"
        "from qanat import failpoints\n"
        "atexit.register(print, 'cleared up')\n"
        f"failpoints.reach({OTHER!r}); print('passed', flush=True)\n"
        f"failpoints.reach({POINT!r}); print('never', flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, failpoints.VARIABLE: f"{POINT}=kill"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ["passed"] == done.stdout.split()
    if os.name == "posix":
        assert -signal.SIGKILL == done.returncode
    assert done.returncode != 0
