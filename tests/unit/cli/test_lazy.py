"""`qanat OPERATION PIPELINE …` finds the pipeline's command, wherever its name stands."""

import click
import pytest

from qanat.cli.lazy import OperationGroup
from tests.unit.cli.conftest import Run

# What is given after `qanat undo`, and what the command of `metering` gets of it.
FOUND = [
    (["metering", "a.txt"], ["a.txt"]),
    (["a.txt"], ["a.txt"]),
    (["a.txt", "--json"], ["a.txt", "--json"]),
    (["--data-dir", "d", "a.txt"], ["--data-dir", "d", "a.txt"]),
    (["--data-dir", "d", "metering", "a.txt"], ["--data-dir", "d", "a.txt"]),
    (["--data-dir", "metering", "metering", "a.txt"], ["--data-dir", "metering", "a.txt"]),
    (["a.txt", "metering"], ["a.txt", "metering"]),
    (["--", "-a.txt"], ["--", "-a.txt"]),
    (["--json", "--", "-a.txt"], ["--json", "--", "-a.txt"]),
    (["metering", "--", "-a.txt"], ["--", "-a.txt"]),
    (["--", "metering"], ["--", "metering"]),
]


@pytest.mark.parametrize(("given", "expected"), FOUND, ids=" ".join)
def test_undo_finds_its_pipeline(given: list[str], expected: list[str]) -> None:
    """First, behind options, or left out while one pipeline alone offers it."""
    group = OperationGroup("undo")
    with group.make_context("undo", list(given), parent=click.Context(click.Group())) as ctx:
        words = [*ctx._protected_args, *ctx.args]
        name, command, rest = group.resolve_command(ctx, words)
    assert (name, rest) == ("metering", expected)
    assert isinstance(command, click.Command)


def test_run_needs_its_pipeline(run: Run) -> None:
    """An operation that begins something doesn't guess, so that scripts outlive the next
    pipeline.
    """
    ended = run("run", "a.txt")
    assert (ended.code, ended.out) == (2, "")
    assert "'a.txt' isn't a pipeline with 'run'; there are: metering, " in ended.err


@pytest.mark.parametrize("operation", ["run", "undo"])
def test_an_operations_help_lists_the_pipelines(run: Run, operation: str) -> None:
    """Each with its title."""
    ended = run(operation, "--help")
    assert ended.code == 0
    assert "metering Files of consumption, summed per consumer" in " ".join(ended.out.split())
    assert ("may be left out" in ended.out) is (operation == "undo")


def test_an_operation_without_anything_explains_itself(run: Run) -> None:
    """Wrong use, answered with the help."""
    ended = run("undo")
    assert ended.code == 2
    assert "metering" in ended.err
