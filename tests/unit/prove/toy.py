"""A pipeline of its own, small enough to be wrong on purpose: files with a number each, summed into SQLite.

As a program it stands for `qanat`: `toy.py BROKEN --input DIR --data FILE`. As a module it is its proof.
"""

import sqlite3
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from qanat import failpoints
from qanat.telemetry import log, log_to

BEFORE, AFTER = "batch.before_commit", "batch.after_commit"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the store holds, against what it should."""

    read: int
    written: int
    duplicated: int
    lost: int
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class ToyGround:
    """A folder of files `N` with the content `1`, and a database of which were counted."""

    place: Path
    store: str
    delivered: int = 0
    again: list[str] = field(default_factory=list)

    def deliver(self, items: int) -> None:
        """Put further files there."""
        for _ in range(items):
            self._put(f"{self.delivered}")
            self.delivered += 1

    def repeat(self) -> int:
        """Put the first one there again."""
        self._put("0")
        return 1

    def replace(self) -> None:
        """A toy's items are as good as any."""

    def arguments(self, *, item_s: float, watching: bool) -> Sequence[str]:
        """Name folder, database and pace."""
        return [str(self.place / "in"), str(self.place / "toy.sqlite"), str(item_s)]

    def prepare(self) -> None:
        """Nothing to prepare."""

    def announce(self) -> int:
        """A toy finds everything by itself."""
        raise AssertionError

    @property
    def disturbed(self) -> int:
        """Nothing was disturbed."""
        return 0

    def disturb(self, times: int) -> None:
        """Nothing to disturb."""

    def close(self) -> None:
        """Nothing to give back."""

    def tally(self) -> Comparison:
        """Count how often each file is in the database."""
        with sqlite3.connect(self.place / "toy.sqlite") as database:
            rows = dict(database.execute("select name, count(*) from counted group by name"))
        times = [rows.get(f"{number}", 0) for number in range(self.delivered)]
        over = sum(max(0, count - 1) for count in times)
        return Comparison(self.delivered, sum(times), over, times.count(0))

    def _put(self, name: str) -> None:
        folder = self.place / "in"
        folder.mkdir(exist_ok=True)
        (folder / f".{name}").write_text("1")
        (folder / f".{name}").rename(folder / name)


@dataclass(slots=True)
class ToyProof:
    """The toy's proof."""

    pipeline: str = "toy"
    points: Mapping[str, str] = field(default_factory=lambda: {BEFORE: "usual", AFTER: "usual"})
    unreachable: Mapping[str, str] = field(
        default_factory=lambda: {"move.before": "it doesn't move"}
    )
    announced: Mapping[str, str] = field(default_factory=dict)

    disturbances: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    started: str = "stage.started"
    committed: frozenset[str] = frozenset({"file.counted"})
    ended: frozenset[str] = frozenset({"file.counted"})
    tables: frozenset[str] = frozenset({"counted"})
    repeats_end_with: int = 0

    def ground(self, place: Path, store: str, workload: str) -> ToyGround:
        """Make an empty ground."""
        assert workload == "usual"
        return ToyGround(place, store)


def main(broken: str, folder: str, path: str, item_s: str) -> int:
    """Count every file of `folder`, once unless `broken`, and remove it."""
    log_to(as_json=True)
    log("stage.started")
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("create table if not exists counted (name text)")
    for file in sorted(path for path in Path(folder).iterdir() if path.name[0] != "."):
        time.sleep(float(item_s))
        if broken == "removes first":
            file.unlink()
        database.execute("begin immediate")
        known = database.execute("select 1 from counted where name = ?", [file.name]).fetchone()
        if not known or broken == "no ledger":
            database.execute("insert into counted values (?)", [file.name])
        failpoints.reach(BEFORE)
        database.execute("commit")
        log("file.counted", name=file.name)
        failpoints.reach(AFTER)
        file.unlink(missing_ok=True)
    return 3 if broken == "fails" else 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
