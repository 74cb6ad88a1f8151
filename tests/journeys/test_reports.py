"""Reports and alarms as a user meets them: real processes, real stores."""

import json
import subprocess
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.journeys import test_metering as metering
from tests.journeys.test_metering import User

user = metering.user
running = metering.running


def test_while_running(user: User, running: "subprocess.Popen[str]", tmp_path: Path) -> None:
    """Reports, status and health tell the same while a run holds the store, and afterwards."""
    address = metering._address(running)
    huge = 999_999_999_999_999_999
    user.put("a.txt", f"7 {huge}\n".encode() * 20 + b"8 5\nbad\n")
    metering.await_rows(user, "select state from files", [{"state": "counted"}])
    (first, second) = json.loads(user.do("reports", "metering", "top", "--json"))
    assert (7, 20 * huge, 8, 5) == (
        first["consumer"], first["amount"], second["consumer"], second["amount"],
    )  # fmt: skip
    served = httpx.get(f"{address}/api/metering/reports/top").json()["rows"]
    assert [str(20 * huge), "5"] == [row["amount"] for row in served]
    (usage,) = json.loads(user.do("reports", "metering", "usage", "--set", "since=1d", "--json"))
    assert ("hour", 20 * huge + 5) == (usage["granularity"], usage["amount"])
    assert "new_files" in user.do("reports", "metering", "growth")
    for name in ("top", "usage", "growth", "files"):
        user.do("reports", "metering", name, "--png", str(tmp_path / f"{name}.png"))
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    # One of 22 lines is malformed.
    assert ["dead_share"] == alarms(user)
    told = httpx.get(f"{address}/health")
    assert (503, "alarm") == (told.status_code, told.json()["status"])
    assert 'qanat_alarm{alarm="dead_share",pipeline="metering"} 1.0' in (
        httpx.get(f"{address}/metrics").text
    )


def test_thresholds_of_the_last_run_apply(user: User) -> None:
    """Whoever looks later judges by what the run was told; a requeued file stops to ring."""
    user.put("a.txt", b"7 5\n")
    user.run_once()
    user.put("b.txt", b"7 5\n")
    user.run_once(expect=1)
    assert ["failed"] == alarms(user)
    assert "ALARM         failed: 1 file failed or held within 1 d" in user.do("status")
    user.do("requeue", "b.txt")
    assert [] == alarms(user)
    user.put("c.txt", b"7 5\n")
    user.run_once("--alarm-failed", "2", expect=1)
    assert [] == alarms(user)
    user.put("d.txt", b"8 1\n")
    assert (1, True) == tuple(described(user)[key] for key in ("lag_files", "folder_seen"))


@pytest.mark.parametrize("arguments", [["--alarm-dead-share", "2"], ["--alarm-silence", "soon"]])
def test_wrong_thresholds(arguments: list[str], user: User) -> None:
    """A threshold that can't be is refused before anything is changed."""
    user.incoming.mkdir()
    assert arguments[0] in user.run_once(*arguments, expect=2)


def described(user: User) -> dict[str, object]:
    found: dict[str, object] = json.loads(user.do("status", "--json"))["pipelines"][0]
    return found


def alarms(user: User) -> list[str]:
    told = described(user)["alarms"]
    assert isinstance(told, list)
    return [each["alarm"] for each in told if each["rings"]]
