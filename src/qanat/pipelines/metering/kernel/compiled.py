"""The decorator of every function that becomes part of the kernel's machine code."""

from collections.abc import Callable
from typing import TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """Mark a function for compilation when the kernel's entry is.

    Annotations are for people and checkers: `int` stands for a signed 64-bit integer, an address or
    a count. The kernel raises nothing and is called with addresses alone, so that neither of
    numba's wrappers for Python is needed: without them compiling takes a quarter less time.
    """
    return _njit(function)


def inlined(function: Function) -> Function:
    """Likewise, for a few instructions in an inner loop: a call would keep vectors from staying in registers."""
    return _njit(function, forceinline=True)


def _njit(function: Function, **options: bool) -> Function:
    compile_later: Callable[[Function], Function] = njit(  # type: ignore[call-overload]  # options
        error_model="numpy",
        no_cpython_wrapper=True,
        no_cfunc_wrapper=True,
        no_rewrites=True,
        **options,
    )
    return compile_later(function)
