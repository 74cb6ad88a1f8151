"""How a run in another folder is told which pipeline is meant."""

import sys
from pathlib import Path

from qanat.pipeline import Pipeline
from qanat.wiring import PIPELINES


def reference_of(pipeline: Pipeline) -> str:
    """Return the name of a pipeline that ships, else the file that it was imported from."""
    if pipeline.name in PIPELINES:
        return pipeline.name
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if not path:
            continue
        for name, value in list(vars(module).items()):
            if isinstance(value, Pipeline) and value.name == pipeline.name:
                return f"{Path(path).resolve()}:{name}"
    return pipeline.name
