"""The warm summing kernel against a C program that only sums in memory, in one run.

    python bench/kernel.py [--size-mib 1024] [--consumers 100000] [--threads 2] [--rounds 7] [FILE]

Both read the same cached file with the same number of threads; rounds alternate, so that whatever else the machine does meets
both. Prints each round, the medians, and C's time divided by the kernel's: 1 means as fast as C. Needs gcc and a processor
with AVX2.
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from qanat.clock import SystemClock
from qanat.pipelines.metering.generator import GeneratorOptions, generate
from qanat.pipelines.metering.spans import Span, sum_span
from qanat.records import FileStat
from qanat.sources.files_bytes import PlainBytes

SOURCE = Path(__file__).parent / "c" / "sum.c"
MAX_KEYS = 40_000_000
