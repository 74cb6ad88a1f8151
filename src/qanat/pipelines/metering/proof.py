"""What `metering` brings to `qanat prove`: grounds with a watched folder and a store, and the comparison of the two."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

from qanat import failpoints
from qanat.clock import SystemClock
from qanat.interfaces import Store
from qanat.pipelines.metering import PIPELINE
from qanat.pipelines.metering.proof_announced import Receipts, can_announce
from qanat.pipelines.metering.proof_input import Stock, StockItem
from qanat.pipelines.metering.proof_remote import RemoteGround
from qanat.pipelines.metering.proof_remote import missing as remote_missing
from qanat.pipelines.metering.proof_tally import Handed, Tally, tally
from qanat.runtime.registry import FileState
from qanat.session import open_session
from qanat.settings import CommonSettings
from qanat.wiring import open_store

USUAL: Final = "files"
ROLLED_UP: Final = "rollup"
ANNOUNCED: Final = "announced"
ANNOUNCED_TOO: Final = "announced-too"
REMOTE: Final = "remote"

# Small enough that the stock's large files are cut, and its wide ones planned as key ranges.
_PART_BYTES: Final = 1 << 20
_MAX_KEYS: Final = 4096
_THREADS: Final = 2

# Usage that counts as old: hours of another day become that day, days of another month that month.
_DAYS_AFTER: Final = "1d"
_MONTHS_AFTER: Final = "40d"
# The ages, in days, to which the usage of one run after the other is moved: on both sides of `_MONTHS_AFTER`, so that hours
# become days and days become months, and several periods are there each time.
_AGES_DAYS: Final = (95, 92, 65, 64, 20, 19, 5, 4)


class MeteringProof:
    """The proof of `metering` (see `qanat.prove.proof.Proof`).

    Args:
        folder: For the stock of input.
        seed: Of the stock.
        size_bytes: Of an ordinary file in it.
    """

    def __init__(self, folder: Path, seed: int, size_bytes: int) -> None:
        self.pipeline = PIPELINE.name
        self.started = "stage.started"
        self.committed = frozenset({"file.counted", "file.part_staged"})
        self.tables = frozenset(w.table.name for stage in PIPELINE.stages for w in stage.writes)
        self.repeats_end_with = 1  # as for every file that is held
        kinds = ("batch.", "report.", "backfill.")
        streams = {point for point in failpoints.POINTS if point.startswith(kinds)}
        self.unreachable: Mapping[str, str] = dict.fromkeys(
            streams, "metering reads files, not a stream; tests/faults has its proof"
        )
        missing = remote_missing()
        fetching = {point for point in failpoints.POINTS if point.startswith("fetch.")}
        if missing:
            self.unreachable = {**self.unreachable, **dict.fromkeys(fetching, missing)}
        self.disturbances: Mapping[str, tuple[str, str]] = {"remote:cut": (REMOTE, missing)}
        # The usual workload comes first.
        reachable = [point for point in failpoints.POINTS if point not in self.unreachable]
        self.points: Mapping[str, str] = {
            point: _workload(point) for point in sorted(reachable, key=fetching.__contains__)
        }
        both = {"repeated": ANNOUNCED, "found": ANNOUNCED_TOO}
        self.announced: Mapping[str, str] = both if can_announce(folder) else {}
        self._stock = Stock(folder / "stock", seed, size_bytes)

    def ground(self, place: Path, store: str, workload: str) -> "MeteringGround | RemoteGround":
        """Make an empty ground."""
        if workload == REMOTE:
            return RemoteGround(MeteringGround(self._stock, place, store), place)
        ground = MeteringGround(self._stock, place, store, rolls_up=workload == ROLLED_UP)
        if workload in {ANNOUNCED, ANNOUNCED_TOO}:
            ground.receipts = Receipts(place, finds=workload == ANNOUNCED_TOO)
        return ground


class MeteringGround:
    """A watched folder, a store, and what was handed over (see `qanat.prove.proof.Ground`).

    Attributes:
        folder: The watched one.
        receipts: Of announced files, where files are announced.
    """

    def __init__(self, stock: Stock, place: Path, store: str, *, rolls_up: bool = False) -> None:
        self._stock = stock
        self._rolls_up = rolls_up
        self.folder = place / "incoming"
        self.folder.mkdir()
        self._settings = CommonSettings(store=store, data_dir=place / "data")
        self._handed: dict[str, Handed] = {}
        self._staying: set[str] = set()
        self._bytes: list[int] = []
        self._next = 0
        self._prepared = 0
        self.receipts: Receipts | None = None

    def deliver(self, items: int) -> None:
        """Rename further files into the folder."""
        for _ in range(items):
            item, name = self._take()
            self._put(item.path, name)
            self._handed[name] = Handed([item.truth])
            if self.receipts:
                self.receipts.owe(self.folder / name)

    def repeat(self) -> int:
        """Put counted files back: under their names, under other names, and give a counted name to other content."""
        once = [name for name, file in self._handed.items() if file.counted and not file.others]
        again, other, renewed = (once[index % len(once)] for index in range(3))
        twin = f"twin-{self._next}-of-{other}"
        for source, name in ((again, again), (other, twin)):
            self._put(self.folder / "done" / source, name)
            self._handed.setdefault(name, Handed()).others[FileState.HELD] += 1
            self._staying.add(name)
        item, _ = self._take(_suffix(renewed))
        self._put(item.path, renewed)
        self._handed[renewed].counted.append(item.truth)
        return 3

    def replace(self) -> None:
        """Rename another file over the one that came last."""
        name = next(reversed(self._handed))
        item, _ = self._take(_suffix(name))
        self._put(item.path, name)
        self._handed[name] = Handed([item.truth])
        self._handed[name].others[FileState.FAILED] += 1

    def arguments(self, *, item_s: float, watching: bool) -> Sequence[str]:
        """Read in parts and ranges that are small."""
        settings = {
            "input": self.folder,
            "data-dir": self._settings.data_dir,
            "whole-size": max(_PART_BYTES // 2, self._stock.large_bytes),
            "part-size": _PART_BYTES,
            "max-keys": _MAX_KEYS,
            "threads": _THREADS,
            "progress": "none",
        }
        if item_s:
            handed = max(1, len(self._bytes))
            settings["rate-limit"] = max(1, int(sum(self._bytes) / handed / item_s))
        if self.receipts:
            settings |= self.receipts.settings()
        if self._rolls_up:
            settings |= {
                "rollup-days-after": _DAYS_AFTER,
                "rollup-months-after": _MONTHS_AFTER,
                "rollup-every": "1ms",
            }
        options = [text for name, value in settings.items() for text in (f"--{name}", str(value))]
        return ["run", PIPELINE.name, *options, *([] if watching else ["--once"])]

    def prepare(self) -> None:
        """Make the usage of the runs before old, where it is to be rolled up."""
        if not self._rolls_up:
            return
        clock = SystemClock()
        store = open_store(PIPELINE.name, self._settings, clock)
        try:
            store.migrate(PIPELINE.tables)
            self._age(store, clock.now())
        finally:
            store.close()

    def announce(self) -> int:
        """Announce what has no receipt yet."""
        return self.receipts.announce() if self.receipts else 0

    @property
    def disturbed(self) -> int:
        """How often that happened."""
        return 0

    def disturb(self, times: int) -> None:
        """Nothing is between a local folder and the run."""

    def close(self) -> None:
        """Nothing is held beside the folder."""

    def tally(self) -> Tally:
        """Compare store and folder with what was handed over."""
        with open_session(PIPELINE, self._settings, SystemClock()) as session:
            unknown = self.receipts.unknown(session) if self.receipts else frozenset()
            known = {name: file for name, file in self._handed.items() if name not in unknown}
            result = tally(session, known)
        return replace(result, problems=(*result.problems, *self._misplaced(known, unknown)))

    def _take(self, suffix: str | None = None) -> tuple[StockItem, str]:
        """Take the next item of the stock, or the next with that suffix; and name it."""
        item = self._stock.item(self._next)
        while suffix is not None and item.suffix != suffix:
            self._next += 1
            item = self._stock.item(self._next)
        name = f"usage-{self._next:04}.txt{item.suffix}"
        self._next += 1
        self._bytes.append(item.size_bytes)
        return item, name

    def _put(self, content: Path, name: str) -> None:
        """Hand a file over: it appears whole, by its name."""
        unfinished = self.folder / f".{name}.part"
        shutil.copyfile(content, unfinished)
        unfinished.replace(self.folder / name)

    def _age(self, store: Store, now: datetime) -> None:
        """Move the usage of each recent hour to a day of long ago."""
        with store.begin("prove", uuid4()) as transaction:
            recent = transaction.query(
                "select distinct period_start from usage where granularity = 'hour' and period_start > $recent",
                {"recent": now - timedelta(days=1)},
            )
            for hour in recent.column("period_start").to_pylist():
                age = timedelta(
                    days=_AGES_DAYS[self._prepared % len(_AGES_DAYS)], hours=self._prepared % 7
                )
                self._prepared += 1
                transaction.execute(
                    "update usage set period_start = $past where granularity = 'hour' and period_start = $hour",
                    {"past": hour - age, "hour": hour},
                )
            transaction.commit()

    def _misplaced(self, known: Mapping[str, Handed], unknown: frozenset[str]) -> list[str]:
        """Compare the folder: what was counted is in `done`, what is held or unknown stays, and nothing else is left."""
        left = {path.name for path in self.folder.iterdir() if path.is_file()}
        done = self.folder / "done"
        moved = [path for path in done.iterdir() if path.is_file()] if done.is_dir() else []
        counted = sum(len(file.counted) for file in known.values())
        staying = self._staying | unknown
        problems = []
        if left != staying:
            problems.append(f"in the folder lie {sorted(left)} instead of {sorted(staying)}")
        if len(moved) != counted:
            problems.append(f"{len(moved)} files are in done/ instead of {counted}")
        return problems


def _workload(point: str) -> str:
    """Return the workload in which a run reaches a failpoint."""
    special = {"rollup": ROLLED_UP, "fetch": REMOTE}
    return special.get(point.partition(".")[0], USUAL)


def _suffix(name: str) -> str:
    """Return the compression's suffix of a name that we gave."""
    return name.partition(".txt")[2]
