"""The harness, with a pipeline that it has never seen: it brings faults about, and finds what is wrong."""

import sys
from pathlib import Path

import pytest

from qanat.errors import ConfigError
from qanat.prove.databases import Embedded
from qanat.prove.extent import Extent
from qanat.prove.harness import Harness
from qanat.prove.ledger import Ledger, Line
from qanat.prove.processes import Children
from qanat.prove.proof import Proof
from tests.unit.prove import toy


def proved(
    place: Path,
    *only: str,
    broken: str = "",
    hits: int = 2,
    quick: bool = False,
    proof: Proof | None = None,
) -> Ledger:
    """Prove the toy, or one that is broken."""
    told: list[Line] = []
    harness = Harness(
        proof=proof or toy.ToyProof(),
        databases=Embedded("duckdb:"),  # which leaves it to the ground where its file is
        children=Children((sys.executable, toy.__file__, broken)),
        place=place,
        keep=False,
        tell=told.append,
    )
    extent = Extent(hits=hits, kills=3, items=3, seed=1, quick=quick, only=only, jobs=2)
    ledger = harness.prove(extent)
    assert sorted(map(repr, told)) == sorted(map(repr, ledger.lines))
    assert [] == list(place.iterdir())
    return ledger


def test_sound_pipeline_passes(tmp_path: Path) -> None:
    """Every fault happens as often as asked, and the ledger says so."""
    ledger = proved(tmp_path, "kill", "twice:after")
    assert ledger.passed, [line.problems for line in ledger.lines]
    assert {toy.BEFORE: 2, toy.AFTER: 2} == dict(ledger.points)
    faults = {line.scenario: line.faults for line in ledger.lines}
    assert {"kill:random": 3, "twice:after": 2, "kill:move.before": 0} == {
        name: count for name, count in faults.items() if "batch" not in name
    }


@pytest.mark.parametrize(
    ("broken", "scenario", "finds"),
    [
        ("no ledger", f"kill:{toy.AFTER}", "duplicated"),
        ("no ledger", "twice:after", "duplicated"),
        ("removes first", f"kill:{toy.BEFORE}", "lost"),
    ],
)
def test_broken_pipeline_is_found(broken: str, scenario: str, finds: str, tmp_path: Path) -> None:
    """What is doubled or lost is counted, and the proof fails."""
    ledger = proved(tmp_path, scenario, broken=broken)
    assert not ledger.passed
    assert ledger.total(finds) > 0


def test_unexpected_end_is_a_problem(tmp_path: Path) -> None:
    """A run that fails although nothing was done to it speaks against the pipeline, even when every number is right."""
    ledger = proved(tmp_path, "twice:after", broken="fails")
    assert (0, 0) == (ledger.total("duplicated"), ledger.total("lost"))
    assert not ledger.passed


def test_fault_that_never_happens(tmp_path: Path) -> None:
    """A point that no run reaches, although the pipeline says so, isn't passed over in silence."""
    proof = toy.ToyProof(points={toy.BEFORE: "usual", "plan.before_commit": "usual"})
    ledger = proved(tmp_path, "kill:plan", proof=proof)
    assert (0, 0) == (ledger.total("duplicated"), ledger.total("lost"))
    assert (0, 2) == (ledger.lines[0].faults, ledger.lines[0].wanted)
    assert not ledger.passed


def test_left_out_is_listed(tmp_path: Path) -> None:
    """What can't be carried out is there with its reason, and doesn't make a proof by itself."""
    ledger = proved(tmp_path, "kill:move.before", "server")
    assert ["it doesn't move"] == [
        line.left_out for line in ledger.lines if line.scenario == "kill:move.before"
    ]
    assert all(line.left_out for line in ledger.lines)
    assert not ledger.passed


def test_quick_visits_all_points(tmp_path: Path) -> None:
    """One after the other on one ground, each once."""
    ledger = proved(tmp_path, "kill:usual", hits=1, quick=True)
    assert ledger.passed
    assert {toy.BEFORE: 1, toy.AFTER: 1} == dict(ledger.points)


def test_unknown_scenario(tmp_path: Path) -> None:
    """A beginning that no name has is refused, and the names are told."""
    with pytest.raises(ConfigError, match="kill:random"):
        proved(tmp_path, "nobody")
