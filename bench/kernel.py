"""The warm summing kernel against a C program that only sums in memory, in one run.

    python bench/kernel.py [--size-mib 1024] [--consumers 100000] [--rounds 7] [--file FILE]

Both read the same cached file with the same number of threads, in turns, so that whatever else the
machine does meets both. Prints each round, the medians, and C's time divided by the kernel's: 1 is
as fast as C. "cpu" divides the processor time of both, which other processes disturb less. The C
program (c/sum.c) neither validates nor hashes. Needs gcc and a processor with AVX2.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from qanat.pipelines.metering.generator import GeneratorOptions, generate
from qanat.pipelines.metering.kernel.native import load
from qanat.pipelines.metering.spans import Span, sum_span
from qanat.records import FileStat
from qanat.sources.files_bytes import PlainBytes

SOURCE = Path(__file__).parent / "c" / "sum.c"
# More than any case has: what planning costs isn't measured here.
MAX_KEYS = 80_000_000


def main() -> None:
    """Print a line per round, and the result."""
    parser = argparse.ArgumentParser(description="the summing kernel against C")
    parser.add_argument("--size-mib", type=int, default=1024)
    parser.add_argument("--consumers", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="where to write; default: the temporary folder")
    parser.add_argument("--file", type=Path, help="sum this file; its numbers have up to 8 digits")
    arguments = parser.parse_args()
    began_s = time.perf_counter()
    load()
    print(f"kernel loaded in {time.perf_counter() - began_s:.3f} s")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        program = Path(folder) / "sum"
        options = ["-O3", "-march=native", "-pthread"]
        subprocess.run(["gcc", *options, "-o", str(program), str(SOURCE)], check=True)
        file = arguments.file or make(Path(folder), arguments.size_mib << 20, arguments.consumers)
        compare(program, file, arguments.threads, arguments.rounds)


def make(folder: Path, size_bytes: int, consumers: int) -> Path:
    """Generate a file: uniform consumers, amounts of one to five digits."""
    options = GeneratorOptions(
        size_bytes_min=size_bytes,
        size_bytes_max=size_bytes,
        consumers=consumers,
        amount_min=0,
        amount_max=99_999,
        durable=False,
        pattern="lines-{index}.txt",
    )
    generate(options, folder)
    return folder / "lines-0.txt"


def compare(program: Path, file: Path, threads: int, rounds: int) -> None:
    """Run both in turns and print what comes out."""
    by_c(program, file, threads)
    times: list[tuple[Measured, Measured]] = []
    for number in range(rounds):
        c, kernel = by_c(program, file, threads), by_kernel(file, threads)
        assert c.result == kernel.result, f"C says {c.result}, the kernel {kernel.result}"
        times.append((c, kernel))
        print(
            f"round {number + 1}: C {c.wall_s:.3f} s, cpu {c.cpu_s:.3f} s;"
            f" kernel {kernel.wall_s:.3f} s, cpu {kernel.cpu_s:.3f} s"
        )
    c_s = statistics.median(c.wall_s for c, _ in times)
    kernel_s = statistics.median(kernel.wall_s for _, kernel in times)
    wall = statistics.median(c.wall_s / kernel.wall_s for c, kernel in times)
    cpu = statistics.median(c.cpu_s / kernel.cpu_s for c, kernel in times)
    gib = file.stat().st_size / 2**30
    keys, _ = times[0][0].result
    print(
        f"{gib:.2f} GiB, {keys} consumers, {threads} threads: C {c_s:.3f} s, kernel {kernel_s:.3f} s"
        f" ({gib / kernel_s:.2f} GiB/s); C / kernel {wall:.2f}, cpu {cpu:.2f} (medians of rounds)"
    )


class Measured(NamedTuple):
    """One run: its times, and how many consumers and what total it found."""

    wall_s: float
    cpu_s: float
    result: tuple[int, int]


def by_c(program: Path, file: Path, threads: int) -> Measured:
    """Run the C program, which times itself."""
    before = os.times()
    ran = subprocess.run([program, file, str(threads)], check=True, capture_output=True, text=True)
    after = os.times()
    cpu_s = sum(after[2:4]) - sum(before[2:4])
    seconds, keys, total = ran.stdout.split()
    return Measured(float(seconds), cpu_s, (int(keys), int(total)))


def by_kernel(file: Path, threads: int) -> Measured:
    """Sum in this process."""
    with FileIO(file) as opened:
        stat = os.fstat(opened.fileno())
        known = FileStat(file.name, stat.st_size, stat.st_mtime_ns, stat.st_ino, stat.st_dev)
        source = PlainBytes(opened, known)
        began_s, before_s = time.perf_counter(), time.process_time()
        result = sum_span(source, Span(0, stat.st_size), threads=threads, max_keys=MAX_KEYS)
        wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - before_s
        return Measured(wall_s, cpu_s, (len(result.sums), result.total))


if __name__ == "__main__":
    main()
