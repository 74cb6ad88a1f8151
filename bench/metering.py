"""Files of `consumer amount` lines added to a table: Qanat against DuckDB, Polars, DataFusion, and a C program. Linux.

    python bench/metering.py [--size 1GiB] [--consumers 100000] [--rounds 3] [--memory] [--json]
                             [--contenders qanat,duckdb,polars,datafusion,c] [--scratch DIR]
    python bench/metering.py --scaling [--one-file]     1, 4 and 16 GiB; with 100,000 files counted before
    python bench/metering.py --postgres                 two processes against one on the same PostgreSQL

Each contender is a program of its own, timed from its start to its end. All read the same file from the page cache, and add its
sums durably to an existing table with as many consumers, whose numbers are random. They take turns, so that a machine that
slows down slows them all. Each peer works in its own best way; others can be chosen (`duckdb:upsert`; see
`metering_contenders.py`). Qanat also keeps usage by the hour, the register of files and their digests. The C program sums in
memory and keeps nothing: it is the limit. After each round the tables are compared; all must be equal.

Memory and the share of commits are measured in runs of their own, which aren't timed. Nothing here fails for being slow.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from metering_contenders import DEFAULT, Contender, UnknownContender, contenders
from metering_input import generated
from metering_measure import ProgramFailed, Ran, sampled, timed
from metering_report import Measured, as_json, as_text
from metering_tables import Fingerprint, Tables

from qanat.pipelines.metering.generator import Expected
from qanat.settings import parse_size


@dataclass(frozen=True, slots=True)
class Bench:
    """One input, and the tables that it is added to."""

    scratch: Path
    file: Path
    tables: Tables
    expected: Expected

    @contextmanager
    def round(self, contender: Contender) -> Iterator[Path]:
        """Prepare a folder for one run of a contender; remove it at the end."""
        folder = self.scratch / "round"
        folder.mkdir()
        try:
            contender.prepare(self.tables, folder, self.file)
            yield folder
        finally:
            shutil.rmtree(folder)

    def check(
        self, contender: Contender, folder: Path, ran: Ran, seen: dict[str, Fingerprint]
    ) -> None:
        """Compare what a contender left with what everybody else left; `seen` holds the first one."""
        if not contender.kind:
            _, consumers, total = ran.output.split()
            assert int(total) == self.expected.amount_sum, f"{contender.name}: {consumers}, {total}"
            return
        found = contender.result(self.tables, folder)
        assert found is not None
        before = sum(self.tables.totals.column("amount").to_numpy().tolist())
        assert found.total == before + self.expected.amount_sum, f"{contender.name}: {found}"
        first = seen.setdefault("first", found)
        assert found == first, f"{contender.name}: {found}, another one: {first}"


def main() -> None:
    """Measure what was asked for and print it."""
    given = _arguments()
    with tempfile.TemporaryDirectory(dir=given.scratch, prefix="qanat-bench-") as folder:
        if given.scaling:
            from metering_scaling import scaling as mode
        elif given.postgres:
            from metering_postgres import postgres as mode
        else:
            mode = compare
        report = mode(Path(folder), given)
    if given.json:
        print(json.dumps(report))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="adding files of lines to a table of totals")
    parser.add_argument("--size", type=parse_size, default=parse_size("1GiB"))
    parser.add_argument("--consumers", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contenders", default=DEFAULT, help=f"default: {DEFAULT}")
    parser.add_argument("--memory", action="store_true", help="also measure peak private memory")
    parser.add_argument(
        "--scratch", type=Path, help="where to keep files; default: the temporary folder"
    )
    parser.add_argument("--scaling", action="store_true", help="time per GiB as the input grows")
    parser.add_argument(
        "--one-file", action="store_true", help="with --scaling: each size is one file"
    )
    parser.add_argument("--postgres", action="store_true", help="two processes against one")
    parser.add_argument("--json", action="store_true", help="print everything measured at the end")
    given = parser.parse_args()
    try:
        given.contenders = contenders(given.contenders, given.consumers)
    except UnknownContender as error:
        parser.error(str(error))
    return given


def compare(scratch: Path, given: argparse.Namespace) -> dict[str, object]:
    """Let the contenders take turns; print the table."""
    bench = prepared(scratch, int(given.size), given.consumers)
    found = {one: Measured(one.name, one.way) for one in given.contenders}
    seen: dict[str, Fingerprint] = {}
    for number in range(given.rounds):
        for contender, measured in found.items():
            _attempt(measured, lambda: _round(bench, contender, measured, seen))  # noqa: B023 - called at once
            _tell(number + 1, measured)
    for contender, measured in found.items():
        if measured.problem is None:
            _beside(bench, contender, measured, given)
    print(as_text(list(found.values()), int(given.size), given.consumers))
    return as_json(list(found.values()), int(given.size), given.consumers)


def prepared(scratch: Path, size_bytes: int, consumers: int) -> Bench:
    """Generate the input, and get the tables ready."""
    lines = generated(scratch / "input", size_bytes, consumers)
    (scratch / "tables").mkdir()
    return Bench(scratch, lines.files[0], Tables.of(scratch / "tables", consumers), lines.expected)


def _attempt(measured: Measured, run: Callable[[], None]) -> None:
    """Run; a peer that isn't installed or runs out of memory doesn't end the others' contest."""
    if measured.problem is None:
        try:
            run()
        except ProgramFailed as error:
            measured.problem = str(error)


def _round(
    bench: Bench, contender: Contender, measured: Measured, seen: dict[str, Fingerprint]
) -> None:
    with bench.round(contender) as folder:
        ran = timed(contender.command(folder, bench.file))
        bench.check(contender, folder, ran, seen)
    measured.runs.append(ran)


def _tell(number: int, measured: Measured) -> None:
    text = (
        measured.problem
        or f"{measured.runs[-1].wall_s:7.2f} s, cpu {measured.runs[-1].cpu_s:.2f} s"
    )
    print(f"round {number}: {measured.name:16} {text}", file=sys.stderr, flush=True)


def _beside(
    bench: Bench, contender: Contender, measured: Measured, given: argparse.Namespace
) -> None:
    """Measure what would disturb the times."""
    if given.memory:
        with bench.round(contender) as folder:
            measured.memory = sampled(contender.command(folder, bench.file))
    if contender.tool == "qanat":
        for _ in range(given.rounds):
            with bench.round(contender) as folder:
                ran = timed(contender.committing(folder))
            measured.commit_shares.append(float(ran.output) / ran.wall_s)


if __name__ == "__main__":
    main()
