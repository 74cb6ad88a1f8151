"""`qanat prove wikimedia`: it passes, does what it says, and fails for variants that break one rule each."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from qanat.pipelines.wikimedia import PIPELINE
from tests.faults.broken.breaking import launcher
from tests.faults.proving import told
from tests.faults.proving_streams import proved

pytestmark = pytest.mark.fault

# (the variant in tests/faults/broken, the scenario that catches it, what it finds)
BROKEN = [
    ("streams_doubled", "stream:again", "duplicated"),
    ("progress_first", "kill:events", "lost"),
    ("published_first", "stream:ended", "duplicated"),
    ("remakes_lost", "kill:reports", "problems"),
    ("resumed_behind", "stream:ended", "lost"),
]


def test_quick() -> None:
    """A user's command: every point is hit, every fault of the server happens, nothing is lost or doubled."""
    only = "kill:events,kill:reports,stream:stalled,stream:turned-away,stream:forgotten"
    command = (sys.executable, "-m", "qanat", "prove", "wikimedia", "--quick", "--json")
    more = ("--events", "4000", "--jobs", "4", "--only", only)
    done = subprocess.run([*command, *more], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    ledger = json.loads(done.stdout)
    assert (0, 0, True) == (ledger["lost"], ledger["duplicated"], ledger["passed"])
    assert {"batch.published", "batch.told_apart", "batch.relayed", "report.before_commit"} < set(
        ledger["points"]
    )
    scenarios = [each for each in ledger["scenarios"] if not each["left_out"]]
    assert all(each["faults"] >= each["wanted"] > 0 for each in scenarios)
    assert all(each["read"] == each["written"] > 0 for each in scenarios)


def test_without_a_computation() -> None:
    """A pipeline that brings none is measured by a run to which nothing is done."""
    ledger = proved("stream:cut,kill:letters", pipeline=replace(PIPELINE, proof=""))
    assert ledger.passed, told(ledger)


@pytest.mark.postgres
def test_two_at_once(postgres_url: str) -> None:
    """Two runs share the log and the store; connections to the store are cut."""
    ledger = proved("two:,cut:commit-reply", postgres_url)
    assert ledger.passed, told(ledger)
    assert {"two:killed", "cut:commit-reply"} == {line.scenario for line in ledger.lines}


@pytest.mark.parametrize(("variant", "scenario", "finds"), BROKEN)
def test_broken_is_caught(variant: str, scenario: str, finds: str) -> None:
    """The scenario fails, and says what is wrong."""
    ledger = proved(scenario, launcher=launcher(variant))
    assert not ledger.passed
    if finds == "problems":
        assert any("is stored with other rows" in text for text in ledger.lines[0].problems)
    else:
        assert ledger.total(finds) > 0, told(ledger)
