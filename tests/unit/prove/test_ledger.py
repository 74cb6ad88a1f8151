"""The ledger: when a proof holds, and how it is told."""

import io
import json

import pytest

from qanat.prove.ledger import Ledger, Line

GOOD = Line("kill:a", runs=3, faults=2, wanted=2, read=10, written=10, points={"a": 2}, seconds=1.0)


def ledger(*lines: Line) -> Ledger:
    """Make a ledger of these lines."""
    return Ledger("toy", "duckdb", 7, lines, 2.5)


@pytest.mark.parametrize(
    ("line", "passed"),
    [
        (GOOD, True),
        (Line("a", lost=1), False),
        (Line("a", duplicated=1), False),
        (Line("a", faults=1, wanted=2), False),
        (Line("a", problems=("odd",)), False),
        (Line("a", left_out="no disk"), True),
    ],
)
def test_line_passes(line: Line, passed: bool) -> None:
    """Nothing lost, nothing doubled, nothing odd, and every fault brought about."""
    assert passed == line.passed


def test_one_bad_line_is_enough() -> None:
    """The proof fails with any of its lines."""
    assert ledger(GOOD).passed
    assert not ledger(GOOD, Line("b", lost=1)).passed


def test_nothing_carried_out_proves_nothing() -> None:
    """A proof of scenarios that were all left out doesn't hold."""
    assert not ledger(Line("a", left_out="no disk")).passed


def test_json_says_everything() -> None:
    """Sums, what was hit how often, and every line."""
    stream = io.StringIO()
    ledger(GOOD, GOOD, Line("b", left_out="no disk")).print_json(stream)
    told = json.loads(stream.getvalue())
    assert (6, 4, 20, 20, 0, 0, True) == tuple(
        told[name] for name in ("runs", "faults", "read", "written", "duplicated", "lost", "passed")
    )
    assert {"a": 4} == told["points"]
    assert ["", "", "no disk"] == [line["left_out"] for line in told["scenarios"]]


def test_table_says_what_is_wrong() -> None:
    """The failing line, its reason, what was left out and why, and the seed to do it again."""
    stream = io.StringIO()
    ledger(GOOD, Line("b", lost=3, faults=0, wanted=1), Line("c", left_out="no disk")).print_table(
        stream
    )
    text = stream.getvalue()
    for expected in (
        "kill:a",
        "FAILED",
        "3 lost",
        "happened 0 times, not 1",
        "c: no disk",
        "Seed 7",
    ):
        assert expected in text
