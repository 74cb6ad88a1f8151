"""The table of guarantees covers what can be declared, and equals the plan's verdicts."""

from itertools import product
from typing import get_args

import pytest

import _docs_tables as tables
from qanat.errors import Refused
from qanat.pipeline import Input, Order, Pipeline, Stage, Write
from qanat.runtime.plan import plan
from qanat.tables import WriteMode
from tests.docs.pages import page

CASES = list(product(tables.INPUTS, tables.MODES, tables.OUTPUTS))


def test_every_kind_is_in_the_table() -> None:
    """No kind of input, and no write mode, is left out."""
    assert set(Order) == {source.order for source in tables.INPUTS.values()}
    shown = {type(mode) for modes in tables.MODES.values() for mode in modes}
    assert set(get_args(WriteMode)) == shown
    assert {True, False} == {able.transactional for able in tables.OUTPUTS.values()}


@pytest.mark.parametrize(("source", "modes", "output"), CASES)
def test_cell_equals_the_plan(source: str, modes: str, output: str) -> None:
    """Each cell, read out of the README, is what the plan says for each of its write modes."""
    cell = _cells()[source, f"{modes} into a store {output}"]
    for mode in tables.MODES[modes]:
        assert cell == _planned(tables.INPUTS[source], mode, output)


def _planned(source: Input, mode: WriteMode, output: str) -> str:
    stage = Stage("stage", source, "module:transform", (Write(tables.NUMBERS, mode),))
    try:
        (edge,) = plan(Pipeline("numbers", "Numbers", (stage,)), tables.OUTPUTS[output])
    except Refused:
        return "**refused**"
    return str(edge.guarantee)


def _cells() -> dict[tuple[str, str], str]:
    """The table of the README: (row, column) → cell."""
    text = page("README.md").text
    begin = text.index("| the input has |")
    lines = text[begin : text.index("\n\n", begin)].splitlines()
    heads, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {
        (row[0], head): cell for row in rows for head, cell in zip(heads[1:], row[1:], strict=True)
    }
