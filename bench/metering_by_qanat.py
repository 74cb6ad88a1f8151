"""One run of `metering` that tells how much of its time it spent committing.

    python bench/metering_by_qanat.py INPUT_FOLDER DATA_FOLDER

Does what `qanat run metering --input … --once` does, and prints the seconds of its commits (qanat_commit_seconds_total) over
all stages.
"""

import sys
import threading
from pathlib import Path

from qanat.clock import SystemClock
from qanat.pipelines.metering.assembly import assembled
from qanat.pipelines.metering.settings import RunSettings
from qanat.settings import Place
from qanat.telemetry import Telemetry


def run(folder: Path, data_dir: Path) -> float:
    """Count the files in the folder; return the seconds spent committing."""
    settings = RunSettings(input=Place(str(folder)), data_dir=data_dir, once=True)
    telemetry = Telemetry()
    with assembled(settings, SystemClock(), telemetry, threading.Event()) as parts:
        parts.run.run()
    series = telemetry.values()
    return sum(value for name, _, value in series if name == "qanat_commit_seconds_total")


if __name__ == "__main__":
    print(run(Path(sys.argv[1]), Path(sys.argv[2])))
