"""`qanat prove NAME` for pipelines of streams."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from qanat.clock import SystemClock
from qanat.errors import ConfigError
from qanat.options import SettingsCommand
from qanat.pipeline import Pipeline
from qanat.prove.command import about, ledger_command, working_folder
from qanat.prove.databases import open_databases
from qanat.prove.extent import Extent
from qanat.prove.harness import Harness
from qanat.prove.ledger import Ledger, Line
from qanat.prove.processes import Children
from qanat.prove.streams.ground import Subject
from qanat.prove.streams.history import Stock
from qanat.prove.streams.origin import reference_of
from qanat.prove.streams.proof import StreamsProof
from qanat.prove.streams.reference import Undisturbed
from qanat.prove.streams.scenarios import stream_scenarios
from qanat.prove.streams.truth import Computed, StreamProof, Truth
from qanat.resources import resource
from qanat.wiring import load

# The pieces in which the events are handed over.
ITEMS = 24
QUICK_EVENTS_MAX = 6_000
QUICK_KILLS_MAX = 4


class ProveStreamSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting of the proof of a stream."""

    store: Annotated[
        str,
        about(
            "On what is proved: `duckdb:`, `postgresql://…` (databases of our own are made there), `postgresql+local:[DIR]`."
        ),
    ] = "duckdb:"
    hits: Annotated[int, about("How often each fault has to happen.", ge=1)] = 5
    kills: Annotated[
        int, about("SIGKILLs while the stream flows, and as many connections cut.", ge=1)
    ] = 20
    events: Annotated[int, about("Events that there are, about.", ge=1_000)] = 20_000
    recording: Annotated[
        Path | None,
        about(
            "A file `.sse` or `.sse.zst` with the events; otherwise made up, or the pipeline's own."
        ),
    ] = None
    seed: Annotated[int, about("Of the input and of everything that is left to chance.")] = 1
    only: Annotated[
        str, about("Only scenarios whose names begin so; several, joined by commas.")
    ] = ""
    quick: Annotated[bool, about("Each fault once, few kills: a minute instead of several.")] = (
        False
    )
    jobs: Annotated[int, about("Scenarios at a time; 0 for one per core.", ge=0)] = 0
    keep: Annotated[
        Path | None,
        about("Make everything in this new folder and leave it there, to look around in."),
    ] = None


def command(pipeline: Pipeline) -> SettingsCommand:
    """Make the command of one pipeline."""
    return ledger_command(
        pipeline.name,
        ProveStreamSettings,
        lambda settings, told: prove(pipeline, settings, (), told),
        "Kill, cut and disturb real runs on a local stream; 0 only if nothing is lost or doubled.",
    )


def prove(
    pipeline: Pipeline,
    settings: ProveStreamSettings,
    launcher: Sequence[str] = (),
    told: Callable[[Line], None] = lambda _: None,
) -> Ledger:
    """Prove a pipeline and return the ledger.

    Args:
        pipeline: Its first stage reads server-sent events.
        settings: What is proved, and how much of it.
        launcher: The command that runs `qanat`; this interpreter's own by default.
        told: Called with each line as soon as it is there.

    Raises:
        ConfigError: A setting can't be used, or there are no events to prove it on.
    """
    if pipeline.stages[0].input.kind != "sse":
        raise ConfigError("NAME", pipeline.name, "a pipeline whose first stage reads `sse`")
    children = Children(launcher)
    with (
        working_folder(settings.keep) as folder,
        open_databases(settings.store, folder) as databases,
    ):
        harness = Harness(
            proof=_proof(pipeline, settings, folder, children),
            databases=databases,
            children=children,
            place=folder,
            keep=settings.keep is not None,
            tell=told,
            catalogue=stream_scenarios,
        )
        try:
            return harness.prove(_extent(settings))
        finally:
            children.end_all()


def _proof(
    pipeline: Pipeline, settings: ProveStreamSettings, folder: Path, children: Children
) -> StreamsProof:
    clock, reference = SystemClock(), reference_of(pipeline)
    count = min(settings.events, QUICK_EVENTS_MAX) if settings.quick else settings.events
    own = load(pipeline.proof) if pipeline.proof else None
    truth: Truth = Undisturbed(pipeline, reference, children, clock)
    if isinstance(own, StreamProof):
        truth = Computed(own)
    has_bad = settings.recording is None and isinstance(own, StreamProof)
    if settings.recording is not None:
        stock = Stock(_there(settings.recording), count)
    elif isinstance(own, StreamProof):
        made = folder / "events.sse"
        own.write_input(made, count, settings.seed, clock.now())
        stock = Stock(made)
    elif pipeline.recording:
        stock = Stock(Path(str(resource(pipeline.recording))), count)
    else:
        raise ConfigError(
            "--recording", None, "a file `.sse`", hint=f"{pipeline.name} ships none of its own."
        )
    return StreamsProof(Subject(pipeline, reference, stock, truth, ITEMS, clock, has_bad))


def _there(recording: Path) -> Path:
    if not recording.is_file():
        raise ConfigError("--recording", str(recording), "a file `.sse` or `.sse.zst`")
    return recording


def _extent(settings: ProveStreamSettings) -> Extent:
    quick = settings.quick
    return Extent(
        hits=1 if quick else settings.hits,
        kills=min(settings.kills, QUICK_KILLS_MAX) if quick else settings.kills,
        items=ITEMS,
        seed=settings.seed,
        quick=quick,
        only=tuple(filter(None, settings.only.split(","))),
        jobs=settings.jobs or os.cpu_count() or 1,
    )
