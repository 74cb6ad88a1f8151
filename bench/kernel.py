"""The warm summing kernel against a C program that only sums in memory, in one run.

    python bench/kernel.py [--size-mib 1024] [--consumers 100000] [--rounds 7] [--file FILE]

Both read the same cached file with the same number of threads, in turns, so that whatever else the
machine does meets both. Prints each round, the medians, and C's time divided by the kernel's: 1 is
as fast as C. The C program (c/sum.c) neither validates nor hashes. Needs gcc and a processor with
AVX2.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from io import FileIO
from pathlib import Path

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
        build = ["gcc", "-O3", "-march=native", "-pthread", "-o", program, SOURCE]
        subprocess.run(build, check=True)
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
    times: list[tuple[float, float]] = []
    for number in range(rounds):
        c_s, keys, total = by_c(program, file, threads)
        kernel_s, found = by_kernel(file, threads)
        assert (keys, total) == found, f"C says {keys, total}, the kernel {found}"
        times.append((c_s, kernel_s))
        print(f"round {number + 1}: C {c_s:.3f} s, kernel {kernel_s:.3f} s")
    c_s, kernel_s = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(c / kernel for c, kernel in times)
    gib = file.stat().st_size / 2**30
    print(
        f"{gib:.2f} GiB, {keys} consumers, {threads} threads: C {c_s:.3f} s, kernel {kernel_s:.3f} s"
        f" ({gib / kernel_s:.2f} GiB/s); C / kernel {ratio:.2f} (median of rounds)"
    )


def by_c(program: Path, file: Path, threads: int) -> tuple[float, int, int]:
    """Return seconds, consumers and the total."""
    ran = subprocess.run([program, file, str(threads)], check=True, capture_output=True, text=True)
    seconds, keys, total = ran.stdout.split()
    return float(seconds), int(keys), int(total)


def by_kernel(file: Path, threads: int) -> tuple[float, tuple[int, int]]:
    """Return seconds, and consumers with the total."""
    with FileIO(file) as opened:
        stat = os.fstat(opened.fileno())
        known = FileStat(file.name, stat.st_size, stat.st_mtime_ns, stat.st_ino, stat.st_dev)
        source = PlainBytes(opened, known)
        began_s = time.perf_counter()
        result = sum_span(source, Span(0, stat.st_size), threads=threads, max_keys=MAX_KEYS)
        return time.perf_counter() - began_s, (len(result.sums), result.total)


if __name__ == "__main__":
    main()
