"""Events a second from a socket to committed tables: Qanat with its log in between, and its peers, on the same stream.

    python bench/events.py [--events 1000000] [--rounds 3] [--contenders qanat,bytewax,pathway,spark,duckdb] [--peers PYTHON]

Qanat and the streaming peers read server-sent events from a server on loopback; Spark and DuckDB read a file. `--peers` names a
Python with bytewax, Pathway, PySpark and DuckDB, where they aren't in this one (`uv pip install --group peers`).
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from events_input import Input, made
from metering_measure import ProgramFailed, Ran, timed

HERE = Path(__file__).parent
DEFAULT = "qanat,bytewax,pathway,spark,duckdb"
GOALS = {"bytewax": 1.3, "pathway": 2.5, "spark": 3.0, "duckdb": 0.3}
SUSTAINED_GOAL = 110_000
STREAMING = frozenset({"qanat", "bytewax", "pathway"})
IDLE_S = 1.0


@dataclass(slots=True)
class Results:
    """What one contender came to, round by round.

    Attributes:
        wall_s: Of whole processes; without the second in which Qanat makes sure that nothing more comes.
        sustained: Events per second from the first receipt to the last commit; of Qanat alone.
    """

    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    sustained: list[float] = field(default_factory=list)


def main() -> int:
    """Run the rounds and print what came out."""
    options = _options()
    stream = made(options.folder, options.events, options.seed)
    print(f"{stream.events:,} events, {stream.wire.stat().st_size / stream.events:,.0f} bytes each")
    results = {name: Results() for name in options.contenders.split(",")}
    for number in range(options.rounds):
        for name, result in results.items():
            try:
                _round(name, stream, options.peers, result)
            except ProgramFailed as error:
                print(f"{name}: {error}")
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
    _print(results, stream)
    return 0


def _round(name: str, stream: Input, peers: str, result: Results) -> None:
    with tempfile.TemporaryDirectory(prefix="qanat-bench-") as place, _serving(name, stream) as url:
        folder = Path(place)
        ran = timed(_command(name, url or str(stream.lines), folder, peers))
        idle_s = IDLE_S if name == "qanat" else 0.0
        result.wall_s.append(ran.wall_s - idle_s)
        result.cpu_s.append(ran.cpu_s)
        _check(name, folder, stream, ran, result)


@contextmanager
def _serving(name: str, stream: Input) -> Iterator[str]:
    """Serve the stream where it is read from a socket; peers end with the connection."""
    if name not in STREAMING:
        yield ""
        return
    command = [sys.executable, "-m", "qanat.testing.sse_server", str(stream.wire), "--until-eof"]
    if name != "qanat":
        command.append("--end-at-last")
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def _command(name: str, source: str, folder: Path, peers: str) -> list[str]:
    if name == "qanat":
        return [
            *(sys.executable, "-m", "qanat", "run", "wikimedia", "--input", source, "--once"),
            *("--idle", f"{IDLE_S:g}s", "--data-dir", str(folder), "--store-memory", "1GiB"),
        ]
    return [peers, str(HERE / f"events_by_{name}.py"), source, str(folder)]


def _check(name: str, folder: Path, stream: Input, ran: Ran, result: Results) -> None:
    """Compare what is in the tables with what the stream holds; of Qanat exactly."""
    if name == "qanat":
        with duckdb.connect(str(folder / "wikimedia.duckdb"), read_only=True) as connection:
            count, first = connection.execute(
                "select count(*), epoch(min(received_at)) from creations"
            ).fetchall()[0]
            last = connection.execute(
                "select epoch(last_commit_at) from stage_states where stage = 'store'"
            ).fetchall()[0][0]
        result.sustained.append(stream.events / (last - first))
        if count != stream.creations:
            print(f"qanat: {count:,} creations instead of {stream.creations:,}\n{ran.output}")
    elif name in {"bytewax", "duckdb"}:
        file = folder / ("bytewax.duckdb" if name == "bytewax" else "bound.duckdb")
        with duckdb.connect(str(file), read_only=True) as connection:
            count = connection.execute("select count(*) from creations").fetchall()[0][0]
        if count < stream.creations:
            print(f"{name}: {count:,} creations of {stream.creations:,}\n{ran.output}")


def _print(results: dict[str, Results], stream: Input) -> None:
    ours = results.get("qanat")
    print(f"{'':10} {'wall s':>8} {'cpu s':>8} {'events/s':>10} {'Qanat is':>10} {'goal':>6}")
    for name, result in results.items():
        if not result.wall_s:
            continue
        wall_s = statistics.median(result.wall_s)
        rate = stream.events / wall_s
        ratio = ""
        if ours is not None and ours.wall_s and name != "qanat":
            ratio = (
                f"{statistics.median(ours.wall_s) and wall_s / statistics.median(ours.wall_s):.2f}"
            )
        goal = f"{GOALS[name]:g}" if name in GOALS else ""
        cpu_s = statistics.median(result.cpu_s)
        print(f"{name:10} {wall_s:8.2f} {cpu_s:8.2f} {rate:10,.0f} {ratio:>10} {goal:>6}")
    if ours is not None and ours.sustained:
        rates = ", ".join(f"{rate:,.0f}" for rate in ours.sustained)
        print(
            f"Qanat sustained, first receipt to last commit: {rates} events/s (goal {SUSTAINED_GOAL:,})"
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--contenders", default=DEFAULT)
    parser.add_argument("--peers", default=sys.executable, help="a Python that has the peers")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "qanat-bench")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
