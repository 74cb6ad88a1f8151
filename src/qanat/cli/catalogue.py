"""What `qanat` can do, as its help lists it, without importing any of it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

import click

from qanat.pipeline import Pipeline
from qanat.wiring import Known, known_pipelines, load


class Entry(NamedTuple):
    """One general command: where its `click.Command` is, and its line in the help."""

    reference: str
    about: str


COMMANDS: dict[str, Entry] = {
    "backfill": Entry("qanat.cli.backfill:BACKFILL", "Rebuild tables and reports, then exchange."),
    "dead-letters": Entry("qanat.cli.dead_letters:DEAD_LETTERS", "List rejected records."),
    "died": Entry("qanat.cli.died:DIED", "Tell that a run has died, and why."),
    "export": Entry("qanat.cli.export:EXPORT", "Write what has a run started unattended."),
    "new": Entry("qanat.cli.new:NEW", "Begin a pipeline of your own."),
    "reports": Entry("qanat.cli.reports:REPORTS", "Tell what a pipeline's tables say, or draw it."),
    "serve": Entry("qanat.serve.command:SERVE", "Answer over HTTP."),
    "show": Entry("qanat.cli.show:SHOW", "Draw a pipeline, with the guarantee of each edge."),
    "sql": Entry("qanat.cli.sql:SQL", "Run a statement on a pipeline's tables."),
    "status": Entry("qanat.cli.status:STATUS", "Tell how pipelines are doing."),
    "supervise": Entry("qanat.cli.supervise:SUPERVISE", "Run, watch and start again."),
}
"""The general commands."""

OPERATIONS: dict[str, str] = {
    "announce": "Tell a run that an input is finished.",
    "demo": "Try a pipeline on generated or recorded input.",
    "generate": "Generate input for a pipeline.",
    "prove": "Kill, repeat and race a pipeline, and show that nothing is lost or doubled.",
    "replay": "Count a dead letter after all.",
    "requeue": "Count a held, failed or undone input after all.",
    "rollup": "Make old rows coarser.",
    "run": "Run a pipeline.",
    "undo": "Take a counted input out again.",
    "usage": "Show usage over time.",
    "verify": "Read a counted input again and compare.",
}
"""The help of what pipelines offer; one that isn't here is listed by its name."""

# Operations on one thing, whose name is argument enough while a single pipeline offers them.
WITHOUT_PIPELINE = frozenset({"announce", "requeue", "undo", "verify"})


def offering(operation: str) -> Sequence[Pipeline]:
    """Return the pipelines that offer an operation, by name."""
    return [pipeline for pipeline in _pipelines() if operation in pipeline.operations]


def broken() -> Sequence[Known]:
    """Return the pipelines that are listed here and can't be had, with the reason."""
    return [known for known in known_pipelines() if known.pipeline is None]


def command_of(pipeline: Pipeline, operation: str) -> click.Command:
    """Import the command of an operation; what pipelines of one kind share makes it for each of them."""
    found = load(pipeline.operations[operation])
    if isinstance(found, click.Command):
        return found
    return cast("Callable[[Pipeline], click.Command]", found)(pipeline)


def offered() -> dict[str, str]:
    """Return every operation that a pipeline offers, with its line in the help."""
    names = sorted({name for pipeline in _pipelines() for name in pipeline.operations})
    return {name: OPERATIONS.get(name, f"What pipelines offer as {name}.") for name in names}


def _pipelines() -> Sequence[Pipeline]:
    return [known.pipeline for known in known_pipelines() if known.pipeline is not None]
