"""How a command names its pipeline: by a name, or by a file."""

import click

from qanat.pipeline import Pipeline
from qanat.wiring import pipeline_named


class PipelineType(click.ParamType):  # type: ignore[type-arg]  # generic since Click 8.2 alone
    """Turns a name, or the path of a Python file, into the pipeline."""

    name = "pipeline"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Pipeline:
        """Return the pipeline; a ConfigError says why there is none."""
        return value if isinstance(value, Pipeline) else pipeline_named(str(value))


def pipeline_argument(*, required: bool = True, default: str | None = None) -> click.Argument:
    """Make the argument PIPELINE; the command gets the declaration."""
    if default is not None:
        return click.Argument(["pipeline"], type=PipelineType(), default=default)
    return click.Argument(["pipeline"], type=PipelineType(), required=required)
