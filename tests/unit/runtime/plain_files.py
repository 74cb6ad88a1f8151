"""A run over a folder with a transform in plain Python, for tests of the runtime alone."""

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from qanat.clock import SystemClock
from qanat.digests import CHUNK_BYTES, chunk_digest
from qanat.interfaces import Store, StoreOptions, Transaction
from qanat.runtime.counting import OnBad, Rules, SameContent
from qanat.runtime.filerun import FileRun, Limits
from qanat.runtime.filework import ByteSource, Hooks, KeysExceeded, PartOutcome, PartPlan, Target
from qanat.runtime.registry import REGISTRY_TABLES, FileRow
from qanat.sources.files import After, Folder, FolderOptions
from qanat.tables import DEAD_LETTERS, Add, Column, ColumnType, Table, arrow_schema
from qanat.telemetry import Telemetry
from qanat.testing.memory_store import open_store

WORDS = Table(
    "words",
    (
        Column("word", ColumnType.TEXT),
        Column("times", ColumnType.INT64),
        Column("parts", ColumnType.INT64),
    ),
    key=("word",),
)
STAGED = Table("counts", WORDS.columns[:2], key=("word",))


@dataclass(frozen=True, slots=True)
class CountWords:
    """Counts lines of one word; a line with a blank in it is malformed.

    Attributes:
        keys_max: More distinct words in a pass raise KeysExceeded.
    """

    keys_max: int = 1_000
    staging: Table = STAGED

    def prepare(self) -> None:
        """Nothing has to be loaded."""

    def compute(self, source: ByteSource, part: PartPlan, hooks: Hooks) -> PartOutcome:
        content = self._read(source, hooks)
        stop = len(content) if part.stop is None else part.stop
        counts: Counter[str] = Counter()
        good, bad = 0, []
        offset, line = 0, 0
        for raw in content.splitlines():
            if part.start <= offset < stop:
                if b" " in raw:
                    bad.append((line, offset, raw))
                else:
                    good += 1
                    if sum(raw) % part.of == part.index:
                        counts[raw.decode()] += 1
                line += 1
            offset += len(raw) + 1
        if len(counts) > self.keys_max:
            raise KeysExceeded(2 * len(counts))
        if part.index == 0 and bad:
            hooks.on_rejected(_letters(bad))
        rows = pa.table(
            {"word": list(counts), "times": list(counts.values())}, schema=arrow_schema(STAGED)
        )
        first = part.index == 0
        digests = b"".join(
            chunk_digest(content[start : min(start + CHUNK_BYTES, stop)])
            for start in range(part.start, stop, CHUNK_BYTES)
        )
        return PartOutcome(
            rows, good * first, len(bad) * first, counts.total(), digests, stop - part.start
        )

    @staticmethod
    def _read(source: ByteSource, hooks: Hooks) -> bytes:
        content = bytearray()
        buffer = bytearray(64 << 10)
        while count := source.read_into(memoryview(buffer), len(content)):
            content += buffer[:count]
            hooks.on_block(count)
        return bytes(content)

    def ranges(self, keys_estimated: int) -> int:
        return 2

    def targets(self, file: FileRow, transaction: Transaction) -> Sequence[Target]:
        return (Target(WORDS, Add(("word",), ("times", "parts")), {"parts": 1}),)

    def reversed(self, rows: pa.Table) -> pa.Table:
        times = pa.array([-value for value in rows.column("times").to_pylist()], pa.int64())
        return rows.set_column(1, "times", times)

    def reversing(self, targets: Sequence[Target]) -> Sequence[Target]:
        mode = Add(("word",), ("times", "parts"), drop_when_zero="parts")
        return [Target(target.table, mode, {"parts": -1}) for target in targets]


def _letters(bad: list[tuple[int, int, bytes]]) -> pa.Table:
    lines, offsets, raws = zip(*bad, strict=True)
    return pa.table(
        {
            "line": pa.array(lines, pa.int64()),
            "byte_offset": pa.array(offsets, pa.int64()),
            "reason": ["a blank"] * len(bad),
            "length": pa.array([len(raw) for raw in raws], pa.int64()),
            "raw": pa.array(raws, pa.binary()),
        }
    )


@dataclass(slots=True)
class Place:
    """A folder, a store, and runs over them."""

    root: Path
    rules: Rules = field(default_factory=lambda: Rules(OnBad.QUARANTINE, SameContent.HOLD, 0.5))
    whole_bytes_max: int = 1 << 30
    part_bytes: int = CHUNK_BYTES
    keys_max: int = 1_000
    after: After = After.MOVE
    store: Store = field(init=False)
    folder: Folder = field(init=False)

    def __post_init__(self) -> None:
        (self.root / "in").mkdir(exist_ok=True)
        self.store = open_store(
            f"memory:{self.root}",
            "words",
            StoreOptions(self.root, SystemClock(), attempts_max=2**31 - 1),
        )
        self.store.migrate((WORDS, *REGISTRY_TABLES, DEAD_LETTERS))
        self.reopen()

    def reopen(self) -> None:
        """Look at the folder as a new process would."""
        options = FolderOptions(path=self.root / "in", after=self.after)
        self.folder = Folder(options, SystemClock())

    def put(self, name: str, *lines: str) -> Path:
        """Hand over a file."""
        path = self.root / "in" / name
        temporary = path.with_name(f".{name}")
        temporary.write_text("".join(f"{line}\n" for line in lines))
        return temporary.rename(path)

    def run(self, *, once: bool = True, stop: threading.Event | None = None) -> FileRun:
        """Drain the folder."""
        run = FileRun(
            pipeline="words",
            stage="count",
            store=self.store,
            source=self.folder,
            transform=CountWords(self.keys_max),
            rules=self.rules,
            limits=Limits(self.whole_bytes_max, self.part_bytes, 0.0, 1_000_000),
            clock=SystemClock(),
            telemetry=Telemetry(),
            keeps_files=self.after is After.KEEP,
            once=once,
            remembered=self.folder.remembered(self.store.identity),
            stop=stop or threading.Event(),
        )
        run.run()
        return run

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Read from the store."""
        with self.store.snapshot() as reader:
            return [tuple(row.values()) for row in reader.query(sql).to_pylist()]

    def words(self) -> dict[object, object]:
        """Return times by word."""
        return {row[0]: row[1] for row in self.query("select word, times from words order by word")}

    def states(self) -> dict[object, object]:
        """Return state by file name."""
        return {row[0]: row[1] for row in self.query("select name, state from files order by id")}
