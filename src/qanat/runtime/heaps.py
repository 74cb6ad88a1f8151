"""How many heaps the C library keeps: few, so that what one thread gave back is there for the next."""

import ctypes
import os
import sys

# Each thread would get one of its own, up to eight for each core, and large tables that come and go in many threads would leave
# holes in all of them: 4 GiB with 10 million consumers took 540 MiB instead of 320, in the same time.
HEAPS_MAX = 2

_M_ARENA_MAX = -8  # of glibc's mallopt


def bound_heaps() -> None:
    """Let this process have few heaps; to be called before it starts threads. Does nothing where the C library isn't glibc, nor
    where MALLOC_ARENA_MAX says how many it should be.
    """
    if sys.platform != "linux" or "MALLOC_ARENA_MAX" in os.environ:
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, HEAPS_MAX)
