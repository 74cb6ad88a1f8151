"""One call of the proof of a stream, as tests need it: small, and of chosen scenarios."""

from collections.abc import Sequence

from qanat.pipeline import Pipeline
from qanat.pipelines.wikimedia import PIPELINE
from qanat.prove.ledger import Ledger
from qanat.prove.streams.command import ProveStreamSettings, prove

# Enough that each piece of them has something that can't be used.
EVENTS = 4_000


def proved(
    only: str,
    store: str = "duckdb:",
    launcher: Sequence[str] = (),
    pipeline: Pipeline = PIPELINE,
    kills: int = 2,
) -> Ledger:
    """Prove a pipeline, or a broken one, in the scenarios whose names begin with `only`."""
    settings = ProveStreamSettings(
        store=store, only=only, quick=True, kills=kills, events=EVENTS, jobs=4
    )
    return prove(pipeline, settings, launcher)
