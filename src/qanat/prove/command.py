"""`qanat prove PIPELINE`: the command, for whichever pipeline brings a `Proof`."""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import click
import msgspec

from qanat.options import SettingsCommand, settings_command
from qanat.prove.databases import open_databases
from qanat.prove.extent import Extent
from qanat.prove.harness import Harness
from qanat.prove.ledger import Ledger, Line
from qanat.prove.processes import Children
from qanat.prove.proof import Proof
from qanat.settings import Size

S = TypeVar("S", bound=msgspec.Struct)


def about(text: str, ge: int | None = None) -> msgspec.Meta:
    """Describe a setting."""
    return msgspec.Meta(description=text, ge=ge)


class ProveSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting of a proof."""

    store: Annotated[
        str,
        about(
            "On what is proved: `duckdb:`, `postgresql://…` (databases of our own are made there), `postgresql+local:[DIR]`."
        ),
    ] = "duckdb:"
    hits: Annotated[int, about("How often each fault has to happen.", ge=1)] = 5
    kills: Annotated[
        int, about("SIGKILLs at random times, between the first and the last commit.", ge=1)
    ] = 20
    files: Annotated[int, about("Items that these are spread over.", ge=2)] = 24
    size: Annotated[Size, about("Size of an item; one in four is eight times as large.")] = Size(
        150_000
    )
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


MakeProof = Callable[[Path, int, int], Proof]
"""Makes a pipeline's proof: from a folder for its input, the seed, and the size of an item in bytes."""


def prove_command(name: str, make: MakeProof, launcher: Sequence[str] = ()) -> SettingsCommand:
    """Make the command for a pipeline.

    Args:
        name: The pipeline's.
        make: Brings its proof.
        launcher: The command that runs `qanat`; this interpreter's own by default.
    """
    return ledger_command(
        name,
        ProveSettings,
        lambda settings, tell: prove(make, settings, launcher, tell),
        "Kill, repeat, cut and race real runs on generated input; 0 only if nothing is lost or doubled.",
    )


def ledger_command(
    name: str,
    declaration: type[S],
    proves: Callable[[S, Callable[[Line], None]], Ledger],
    told: str,
) -> SettingsCommand:
    """Make the command of a proof, which prints its ledger and fails when something is lost or doubled.

    Args:
        name: The pipeline's.
        declaration: The command's settings.
        proves: Makes the ledger, and tells each line as soon as it is there.
        told: The command's help.
    """

    def run(settings: S, as_json: bool) -> int:
        # As Ctrl-C does: everything that was started is ended, and what was made is removed.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        ledger = proves(settings, (lambda _: None) if as_json else say_line)
        if as_json:
            ledger.print_json()
        else:
            ledger.print_table(sys.stdout)
        return 0 if ledger.passed else 1

    return settings_command(
        name,
        declaration,
        run,
        help=told,
        pipeline=None,
        extra_params=[
            click.Option(["--json", "as_json"], is_flag=True, help="Print the ledger as JSON.")
        ],
    )


def prove(
    make: MakeProof,
    settings: ProveSettings,
    launcher: Sequence[str] = (),
    tell: Callable[[Line], None] = lambda _: None,
) -> Ledger:
    """Prove a pipeline and return the ledger.

    Args:
        make: Brings the pipeline's proof.
        settings: What is proved, and how much of it.
        launcher: The command that runs `qanat`; this interpreter's own by default.
        tell: Called with each line as soon as it is there.

    Raises:
        ConfigError: A setting can't be used.
    """
    children = Children(launcher)
    with (
        working_folder(settings.keep) as folder,
        open_databases(settings.store, folder) as databases,
    ):
        harness = Harness(
            proof=make(folder, settings.seed, int(settings.size)),
            databases=databases,
            children=children,
            place=folder,
            keep=settings.keep is not None,
            tell=tell,
        )
        try:
            return harness.prove(_extent(settings))
        finally:
            children.end_all()


def _extent(settings: ProveSettings) -> Extent:
    quick = settings.quick
    return Extent(
        hits=1 if quick else settings.hits,
        kills=min(settings.kills, 4) if quick else settings.kills,
        items=min(settings.files, 8) if quick else settings.files,
        seed=settings.seed,
        quick=quick,
        only=tuple(filter(None, settings.only.split(","))),
        jobs=settings.jobs or os.cpu_count() or 1,
    )


@contextmanager
def working_folder(keep: Path | None) -> Iterator[Path]:
    """Make the folder of a proof; it is removed at the end, unless it is to be kept."""
    if keep is not None:
        keep.mkdir(parents=True)
        yield keep.resolve()
        return
    place = Path(tempfile.mkdtemp(prefix="qanat-prove-"))
    # A server's own account may have to pass, to tables on a small disk; it can't list what is here.
    place.chmod(0o711)
    try:
        yield place
    finally:
        shutil.rmtree(place)


def say_line(line: Line) -> None:
    """Say on standard error what one scenario came to."""
    word = "left out" if line.left_out else "ok" if line.passed else "FAILED"
    sys.stderr.write(f"{line.scenario:<28} {word:<8} {line.seconds:6.1f} s\n")
    sys.stderr.flush()
