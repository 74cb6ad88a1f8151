"""The decorator of every function of the generator that is compiled."""

from collections.abc import Callable
from typing import TypeVar, cast

import numba

_Function = TypeVar("_Function", bound=Callable[..., object])


def compiled(function: _Function) -> _Function:
    """Compile on the first call; the machine code is cached on disk and runs without the GIL.

    Everything that calls each other is in one file: numba looks for changes in the file of the
    function that is called, not in those of what it calls in turn.
    """
    try:
        return cast(_Function, numba.njit(nogil=True, cache=True, error_model="numpy")(function))
    except RuntimeError:  # neither this folder nor the user's cache folder can be written
        return cast(_Function, numba.njit(nogil=True, error_model="numpy")(function))
