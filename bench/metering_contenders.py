"""Who takes part: Qanat, the peers each in one of its ways, and a C program that keeps nothing."""

import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from metering_tables import Fingerprint, Tables

HERE = Path(__file__).parent
DEFAULT = "qanat,duckdb,polars,datafusion,c"
# Up to so many consumers a peer's way for few is its best one.
FEW_CONSUMERS = 1_000_000


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool and its ways to add sums to a table.

    Attributes:
        ways: The kind of table that each way needs.
        few: The fastest way with 100,000 consumers, measured.
        many: The fastest way with 10 million.
    """

    ways: dict[str, str]
    few: str
    many: str


TOOLS = {
    "qanat": Tool({"run": "qanat"}, "run", "run"),
    "duckdb": Tool(
        {
            "upsert": "duckdb-key",
            "merge": "duckdb",
            "update": "duckdb",
            "join": "duckdb",
            "union": "duckdb",
            "at-once": "duckdb",
        },
        few="merge",
        many="join",
    ),
    "polars": Tool(
        {"union": "parquet", "at-once": "parquet", "join": "parquet", "duckdb": "duckdb"},
        few="union",
        many="union",
    ),
    "datafusion": Tool(
        {"union": "parquet", "at-once": "parquet", "join": "parquet", "duckdb": "duckdb"},
        few="union",
        many="union",
    ),
    "c": Tool({"sum": ""}, "sum", "sum"),
}


class UnknownContender(ValueError):
    """The tool, or its way, isn't there."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One that takes part.

    Attributes:
        name: As it was asked for.
        kind: Of its table; empty for none.
    """

    name: str
    tool: str
    way: str
    kind: str

    def table(self, folder: Path) -> Path:
        """Return where the table of a round is."""
        return folder / f"table.{self.kind}"

    def prepare(self, tables: Tables, folder: Path, file: Path) -> None:
        """Make `folder` ready for a round: a fresh table and, for Qanat, a folder with the file."""
        if self.kind:
            tables.restore(self.kind, self.table(folder))
        if self.tool == "qanat":
            (folder / "in").mkdir()
            # Another name of the same file: it may be moved away.
            os.link(file, folder / "in" / file.name)

    def command(self, folder: Path, file: Path) -> list[str]:
        """Return the program that adds the file to the table."""
        if self.tool == "qanat":
            return [
                *(sys.executable, "-m", "qanat", "run", "metering", "--once", "--progress", "none"),
                *("--input", str(folder / "in"), "--data-dir", str(self.table(folder))),
            ]
        if self.tool == "c":
            return [str(c_program()), str(file), str(len(os.sched_getaffinity(0)))]
        script = HERE / f"metering_by_{self.tool}.py"
        return [sys.executable, str(script), str(file), str(self.table(folder)), self.way]

    def committing(self, folder: Path) -> list[str]:
        """Return the program that runs Qanat and prints how long it spent committing."""
        script = HERE / "metering_by_qanat.py"
        return [sys.executable, str(script), str(folder / "in"), str(self.table(folder))]

    def result(self, tables: Tables, folder: Path) -> Fingerprint | None:
        """Return what the table holds after a round; None without a table."""
        return tables.fingerprint(self.kind, self.table(folder)) if self.kind else None


def contenders(names: str, consumers: int) -> list[Contender]:
    """Return those named, such as `qanat,duckdb,duckdb:upsert`; without a way it is the tool's best.

    Raises:
        UnknownContender: One isn't there.
    """
    found = []
    for name in names.split(","):
        tool, _, way = name.partition(":")
        if tool not in TOOLS:
            raise UnknownContender(f"{tool}: the contenders are {', '.join(TOOLS)}")
        known = TOOLS[tool]
        way = way or (known.few if consumers <= FEW_CONSUMERS else known.many)
        if way not in known.ways:
            raise UnknownContender(f"{name}: the ways of {tool} are {', '.join(known.ways)}")
        found.append(Contender(name, tool, way, known.ways[way]))
    return found


@cache
def c_program() -> Path:
    """Build the C program; return where it is."""
    program = Path(mkdtemp(prefix="qanat-bench-")) / "sum"
    source = HERE / "c" / "sum.c"
    build = ["gcc", "-O3", "-march=native", "-pthread", "-DWIDE", "-o", str(program), str(source)]
    subprocess.run(build, check=True)
    return program
