"""The work behind record_wikimedia.py."""

from datetime import UTC, datetime
from pathlib import Path

from qanat.pipelines import wikimedia
from qanat.pipelines.wikimedia.generator import Options, frames, write

FOLDER = Path(wikimedia.__file__).parent / "recording"
HOURS = 8.5
# A third of what Wikimedia's wikis make, so that the file stays below 1.5 MB.
RATE_PER_S = 0.33
LEVEL = 19

OPTIONS = Options(
    count=round(HOURS * 3_600 * RATE_PER_S),
    seed=20_250_906,
    start=datetime(2025, 9, 6, 4, tzinfo=UTC),
    rate_per_s=RATE_PER_S,
    bad=0.003,
    shuffle_s=5.0,
)


def record(folder: Path = FOLDER) -> Path:
    """Write the recording; return where it is."""
    path = folder / wikimedia.PIPELINE.recording.partition(":")[2]
    count = write(path, frames(OPTIONS), LEVEL)
    print(f"{path}: {count:,} events, {path.stat().st_size:,} bytes")
    return path


if __name__ == "__main__":
    record()
