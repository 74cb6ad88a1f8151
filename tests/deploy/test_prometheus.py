"""The rules for Prometheus: valid, ringing when they should, and about metrics that we have."""

import re
import subprocess
from pathlib import Path

import pytest

from qanat.runtime.alarms import Alarm
from qanat.telemetry import METRICS, READINGS

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"
RULES = FOLDER / "qanat.rules.yml"
CASES = FOLDER / "qanat.rules.test.yml"


@pytest.mark.parametrize(
    "arguments", [("check", "rules", RULES), ("test", "rules", CASES)], ids=["check", "test"]
)
def test_promtool_agrees(promtool: Path, arguments: tuple[str | Path, ...]) -> None:
    """The rules are valid, and ring in each of the cases written beside them, and only there."""
    done = subprocess.run(
        [promtool, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert 0 == done.returncode, done.stdout + done.stderr


def test_a_broken_rule_fails(promtool: Path, tmp_path: Path) -> None:
    """The cases can fail: with an alarm that is turned round they do."""
    rules = RULES.read_text(encoding="utf-8").replace('"silence"} == 1', '"silence"} == 0')
    (tmp_path / RULES.name).write_text(rules, encoding="utf-8")
    (tmp_path / CASES.name).write_bytes(CASES.read_bytes())
    done = subprocess.run(
        [promtool, "test", "rules", tmp_path / CASES.name],
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert 0 != done.returncode


def test_rules_are_about_our_metrics() -> None:
    """Each metric in the rules is one that is declared, and each alarm is passed on by a rule."""
    text = RULES.read_text(encoding="utf-8")
    expressions = "\n".join(re.findall(r"expr: (.*)", text))
    assert set(re.findall(r"qanat_\w+", expressions)) <= {*METRICS, *READINGS}
    assert {str(alarm) for alarm in Alarm} == set(re.findall(r'alarm="(\w+)"', expressions))
