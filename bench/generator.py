"""How fast the generator writes, on one core: MB/s into files in the page cache, and to disk.

    python bench/generator.py [--folder DIR] [--size-mib 512] [--rounds 5]

The cases take turns, so that a machine that slows down slows them all; each figure is a median.
"cpu" divides by the processor time of the process, which other processes hardly disturb.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from qanat.pipelines.metering.generator import GeneratorOptions, generate

CASES: dict[str, Callable[[GeneratorOptions], GeneratorOptions]] = {
    "uniform, 100 k consumers": lambda o: o,
    "zipf, 100 k consumers": lambda o: replace(o, distribution="zipf"),
    "uniform, 10 M consumers": lambda o: replace(o, consumers=10_000_000),
    "zipf, 10 M consumers": lambda o: replace(o, consumers=10_000_000, distribution="zipf"),
    "12 digits, 10 M consumers": lambda o: replace(o, consumers=10_000_000, consumer_digits=12),
    "1 % malformed, 10 % CRLF": lambda o: replace(o, bad_share=0.01, crlf_share=0.1),
    "amounts of 18 digits": lambda o: replace(o, amount_max=10**18 - 1),
    "uniform, with fsync": lambda o: replace(o, durable=True),
    "uniform, zst": lambda o: replace(o, compression="zst"),
}


def main() -> None:
    """Print one line per case."""
    parser = argparse.ArgumentParser(description="MB/s of the generator on one core")
    parser.add_argument("--folder", type=Path, help="where to write; default: the temporary folder")
    parser.add_argument("--size-mib", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    size_bytes = arguments.size_mib << 20
    options = GeneratorOptions(
        files=1, size_bytes_min=size_bytes, size_bytes_max=size_bytes, durable=False
    )
    rates: dict[str, list[tuple[float, float]]] = {case: [] for case in CASES}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        # Compiles, or loads what an earlier run has compiled.
        measure(replace(options, size_bytes_min=0, size_bytes_max=0), Path(folder) / "warm")
        for _ in range(arguments.rounds):
            for case, change in CASES.items():
                rates[case].append(measure(change(options), Path(folder) / "made"))
    for case, found in rates.items():
        wall, cpu = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"{case:27} {wall:6.0f} MB/s   cpu {cpu:6.0f} MB/s")


def measure(options: GeneratorOptions, folder: Path) -> tuple[float, float]:
    """Return MB/s of lines by wall clock and by processor time; setting up tables included."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    expected = generate(options, folder)
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    shutil.rmtree(folder)
    return expected.size_bytes / wall_s / 1e6, expected.size_bytes / cpu_s / 1e6


if __name__ == "__main__":
    main()
