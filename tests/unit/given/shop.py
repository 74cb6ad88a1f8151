"""The pipeline that `qanat new` writes, imported as one of its tests would."""

import sys
import tempfile
from functools import cache
from pathlib import Path

from qanat.pipeline import Pipeline
from qanat.wiring import pipeline_named
from tests.unit.outsiders import written

NAME = "shop_of_given"


@cache
def shop() -> Pipeline:
    """The declaration; its files stay while the tests run: its SQL is read when it is used."""
    folder = tempfile.TemporaryDirectory(prefix="qanat-shop-")
    _KEPT.append(folder)
    return pipeline_named(str(written(Path(folder.name), NAME)))


def forget() -> None:
    """Remove the files, and what was imported of them."""
    shop.cache_clear()
    while _KEPT:
        folder = _KEPT.pop()
        resolved = str(Path(folder.name).resolve())
        sys.path[:] = [place for place in sys.path if place != resolved]
        folder.cleanup()
    sys.modules.pop(NAME, None)


_KEPT: list["tempfile.TemporaryDirectory[str]"] = []
