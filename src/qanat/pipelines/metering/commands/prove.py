"""`qanat prove metering`."""

from typing import TYPE_CHECKING, cast

from qanat.pipelines.metering import PIPELINE
from qanat.pipelines.metering.proof import MeteringProof
from qanat.wiring import load

if TYPE_CHECKING:
    from collections.abc import Callable

    import click

_command = cast("Callable[..., click.Command]", load("qanat.prove.command:prove_command"))

PROVE = _command(PIPELINE.name, MeteringProof)
