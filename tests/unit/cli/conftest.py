"""A store in memory that the command's own process can open, and a way to run the command."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from qanat import telemetry
from qanat.cli import main
from qanat.clock import SystemClock
from qanat.pipelines.metering import PIPELINE
from qanat.wiring import open_store
from tests.unit.runtime.owner_child import fill, settings_of


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command came to."""

    code: int
    out: str
    err: str

    def json(self) -> object:
        return json.loads(self.out)


Run = Callable[..., Ended]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run `qanat` with the given arguments, in this process."""

    def command(*arguments: str) -> Ended:
        capsys.readouterr()
        code = main(arguments)
        out, err = capsys.readouterr()
        return Ended(code, out, err)

    handlers = list(telemetry.LOGGER.handlers)
    yield command
    telemetry.LOGGER.handlers[:] = handlers


@pytest.fixture
def filled(tmp_path: Path) -> list[str]:
    """The options that name a store with a few rows, which nobody holds."""
    url = f"memory:{uuid4()}"
    settings = settings_of(tmp_path, url)
    with closing(open_store(PIPELINE.name, settings, SystemClock())) as store:
        fill(store)
    return ["--store", url, "--data-dir", str(tmp_path)]
