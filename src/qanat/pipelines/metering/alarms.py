"""The alarms of `metering`: what its tables and its folder say."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from qanat.pipelines.metering.settings import RunSettings
from qanat.records import FileStat
from qanat.runtime.alarms import Backlog, Readings, Thresholds, judged, remembered, texts_of
from qanat.runtime.registry import Queries, files_named
from qanat.sources.files_identity import Identity
from qanat.sources.files_list import Listing
from qanat.sources.files_names import raw_name
from qanat.sources.files_options import FolderOptions

PATTERN = "pattern"

# Names in one question to the store: a folder of kept files is asked about in few, and none is long.
NAMES_MAX = 1_000


def watched(settings: RunSettings) -> dict[str, str]:
    """Return what a run watches for, as `qanat.runtime.alarms.remember` notes it."""
    thresholds = Thresholds(
        silence_s=float(settings.alarm_silence),
        failed=settings.alarm_failed,
        dead_share=settings.alarm_dead_share,
        lag_bytes=int(settings.alarm_lag_bytes),
        lag_age_s=float(settings.alarm_lag_age),
        window_s=float(settings.alarm_window),
    )
    return {PATTERN: settings.pattern, **texts_of(thresholds)}


def readings(asked: Queries, now: datetime) -> Readings:
    """Tell how far each alarm is at `now`."""
    noted = remembered(asked)
    return judged(asked, noted, _backlog(asked, noted.get(PATTERN, "*")), now)


def _backlog(asked: Queries, pattern: str) -> Backlog | None:
    """Look into the folder that the last run read; None where it can't be seen from here."""
    rows = asked.query("select location from inputs order by stage").to_pylist()
    if not rows:
        return Backlog()
    folder = Path(rows[0]["location"])
    try:
        listing = Listing(FolderOptions(folder, pattern=pattern), Identity.of_folder(folder))
        listed, _ = listing.entries()
    except OSError:
        return None
    found = list(_unregistered(asked, listed))
    came = list(_arrivals(folder, found))
    return Backlog(
        len(found),
        sum(stat.size for stat in found),
        min(came, default=None),
        max(came, default=None),
    )


def _unregistered(asked: Queries, listed: Sequence[FileStat]) -> Iterator[FileStat]:
    """Yield those that no run has entered: counted ones may be kept, held ones stay as well."""
    waiting = iter(listed)
    while batch := list(islice(waiting, NAMES_MAX)):
        registered = files_named(asked, (stat.name for stat in batch))
        known = {(row.name, *row.stat[1:4]) for row in registered}  # as `unchanged` compares
        yield from (stat for stat in batch if (stat.name, *stat[1:4]) not in known)


def _arrivals(folder: Path, found: Sequence[FileStat]) -> Iterator[datetime]:
    """Yield when files came: a rename keeps the time of the last write, and tells its own."""
    for stat in found:
        try:
            told = (folder / raw_name(stat.name)).stat(follow_symlinks=False)
        except FileNotFoundError:  # taken meanwhile
            continue
        yield datetime.fromtimestamp(max(told.st_mtime, told.st_ctime), UTC)
