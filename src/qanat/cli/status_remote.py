"""What `qanat status` tells of files on servers: which are being fetched, how far, and what is in the way."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from qanat.pipeline import Pipeline
from qanat.session import Json
from qanat.settings import CommonSettings
from qanat.sources.remote_spool import spools


def remote_state(pipeline: Pipeline, settings: CommonSettings) -> list[Json]:
    """Describe each remote folder that was read with this data folder, by what lies in its spool."""
    found: list[Json] = []
    for spool in spools(Path(settings.data_dir), pipeline.name):
        state = spool.state()
        if state is None:
            continue
        fetching: list[Json] = [
            {"name": copy.stat.name, "bytes": size, "size": copy.stat.size}
            for copy, size in spool.unfinished()
        ]
        whole = len(spool.whole())
        told: dict[str, Json] = {"url": state.url, "problem": state.problem or None}
        found.append({**told, "fetching": fetching, "fetched": whole})
    return found


def remote_rows(found: Sequence[Json]) -> list[tuple[str, str]]:
    """Return the same as rows of the table."""
    rows = []
    for each in cast("Sequence[dict[str, Json]]", found):
        problem = f": {each['problem']}" if each["problem"] else ""
        rows.append(("remote", f"{each['url']}{problem}"))
        for file in cast("Sequence[dict[str, Json]]", each["fetching"]):
            rows.append(("fetching", _how_far(file)))
    return rows


def _how_far(file: dict[str, Json]) -> str:
    size, done = cast("int", file["size"]), cast("int", file["bytes"])
    share = f" ({done / size:.0%})" if size else ""
    return f"{file['name']}: {done:,} of {size:,} bytes{share}"
