"""The process keeps few heaps, however many threads it has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qanat.runtime.heaps import HEAPS_MAX

PROGRAM = """
import ctypes, sys, threading
from qanat.runtime.heaps import bound_heaps
bound_heaps()
libc = ctypes.CDLL(None)
barrier = threading.Barrier(20)
def work():
    barrier.wait()
    for size in range(1000, 50_000, 1000):
        libc.free(libc.malloc(size))
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
threads = [threading.Thread(target=work) for _ in range(20)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.fopen.restype, libc.malloc_info.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p]
libc.fclose.argtypes = [ctypes.c_void_p]
file = libc.fopen(sys.argv[1].encode(), b"w")
libc.malloc_info(0, file)
libc.fclose(file)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or not os.confstr("CS_GNU_LIBC_VERSION"), reason="glibc's heaps"
)
@pytest.mark.parametrize(("given", "most"), [({}, HEAPS_MAX), ({"MALLOC_ARENA_MAX": "5"}, 5)])
def test_heaps(given: dict[str, str], most: int, tmp_path: Path) -> None:
    """Twenty threads share them; who chose another number by glibc's own variable gets it."""
    environment = {k: v for k, v in os.environ.items() if k != "MALLOC_ARENA_MAX"} | given
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "heaps.xml")]
    subprocess.run(command, env=environment, check=True)
    assert most == (tmp_path / "heaps.xml").read_text().count("<heap nr=")
