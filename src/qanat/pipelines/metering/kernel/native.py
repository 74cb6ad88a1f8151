"""The kernel's machine code: compiled once by numba, kept in a file, and loaded without numba from then on.

Importing numba and letting it load its own cache takes 0.5 s and more, as long as summing 1 GiB. What it compiles here
needs nothing of it at run time, so that LLVM alone loads it: 0.06 s, nearly all of it the import of llvmlite.

The file lies in `NUMBA_CACHE_DIR` if that is set; otherwise in `__pycache__` beside this module, or where that can't be
written, in the user's cache folder. Its name tells the source, the compiler and the processor that it was made for.
"""

import ctypes
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, cast

import xxhash

from qanat.errors import QanatError

if TYPE_CHECKING:
    from llvmlite.binding import ExecutionEngine, TargetMachine
    from numba.core.dispatcher import Dispatcher

# Everything that ends up in the machine code, or decides how it is made.
_FOLDER: Final = Path(__file__).parent
_SOURCES: Final = (
    "layout.py",
    "compiled.py",
    "swar.py",
    "table.py",
    "records.py",
    "amounts.py",
    "faults.py",
    "strict.py",
    "plain.py",
    "eights.py",
    "scaled.py",
    "windows.py",
    "run.py",
    "entry.py",
    "native.py",
    "../lines.py",
)
_DIGEST_BYTES: Final = 16
# How numba's own functions are called: the result's address, the exception's address, the arguments; returns a status.
_CALL: Final = "i32 (ptr, ptr, i64, i64)"
_SYMBOL: Final = "qanat_metering_kernel"


class Kernel(Protocol):
    """The compiled entry (see `entry.entry`). Runs without the GIL."""

    def __call__(self, operation: int, state: int) -> int:
        """Do an operation of `layout.py` on the fields at the address `state`; return its answer."""
        ...


class UnsupportedPlatform(QanatError):
    """The summing kernel needs a 64-bit little-endian processor (x86-64 or ARM64)."""


_LOCK = threading.Lock()


def load() -> Kernel:
    """Return the kernel; compiles it (about 10 s) if this machine has not done so before.

    Raises:
        UnsupportedPlatform: The machine isn't 64-bit and little-endian.
    """
    with _LOCK:
        return _load()


@cache
def _load() -> Kernel:
    if sys.byteorder != "little" or ctypes.sizeof(ctypes.c_void_p) != 8:
        raise UnsupportedPlatform
    machine = _target_machine()
    name = f"kernel-{_fingerprint(machine)}.bin"
    code = _read(name)
    if code is None:
        code = _compile(machine)
        _write(name, code)
    return _link(machine, code)


def _target_machine() -> "TargetMachine":
    """LLVM for this very processor; numba's settings for code that is loaded where it is made."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        codemodel="jitdefault",
        jit=True,
    )


def _fingerprint(machine: "TargetMachine") -> str:
    import llvmlite.binding as llvm

    digest = xxhash.xxh3_128()
    for source in _SOURCES:
        digest.update((_FOLDER / source).read_bytes())
    about = (
        llvm.llvm_version_info,
        machine.triple,
        llvm.get_host_cpu_name(),
        llvm.get_host_cpu_features().flatten(),
        # With these `swar.py` uses no instruction that numba may not know of.
        os.environ.get("NUMBA_CPU_NAME"),
        os.environ.get("NUMBA_CPU_FEATURES"),
    )
    digest.update(repr(about).encode())
    return digest.hexdigest()


def _compile(machine: "TargetMachine") -> bytes:
    """Let numba compile the entry, and make an object file of it."""
    import llvmlite.binding as llvm
    from numba import int64

    from qanat.pipelines.metering.kernel.entry import entry

    dispatcher = cast("Dispatcher[Callable[[int, int], int]]", entry)
    dispatcher.compile((int64, int64))
    (signature,) = dispatcher.signatures
    module = llvm.parse_assembly(dispatcher.inspect_llvm(signature))
    (function,) = (
        function
        for function in module.functions
        if not function.is_declaration and function.linkage == llvm.Linkage.external
    )
    if str(function.global_value_type) != _CALL:
        raise UnsupportedPlatform(
            f"this version of numba makes functions of the type {function.global_value_type}, not {_CALL}"
        )
    function.name = _SYMBOL
    return bytes(machine.emit_object(module))


def _link(machine: "TargetMachine", code: bytes) -> Kernel:
    import llvmlite.binding as llvm

    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return _callable(engine, engine.get_function_address(_SYMBOL))


def _callable(engine: "ExecutionEngine", address: int) -> Kernel:
    result_type = ctypes.POINTER(ctypes.c_int64)
    function = ctypes.CFUNCTYPE(
        ctypes.c_int32, result_type, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64
    )(address)

    def kernel(operation: int, state: int) -> int:
        answer = ctypes.c_int64()
        function(ctypes.byref(answer), None, operation, state)
        return answer.value

    # The engine owns the code: it lives as long as what calls into it.
    kernel.engine = engine  # type: ignore[attr-defined]
    return kernel


def _folders() -> Iterator[Path]:
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given:
        yield Path(given)
        return
    yield _FOLDER / "__pycache__"
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "~/AppData/Local")
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    yield Path(os.path.expandvars(base)).expanduser() / "qanat"


def _read(name: str) -> bytes | None:
    for folder in _folders():
        try:
            content = (folder / name).read_bytes()
        except OSError:
            continue
        digest, code = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if xxhash.xxh3_128_digest(code) == digest:
            return code
    return None


def _write(name: str, code: bytes) -> None:
    """Keep the code where that is possible; another process may be doing the same."""
    for folder in _folders():
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
                file.write(xxhash.xxh3_128_digest(code) + code)
            Path(file.name).replace(folder / name)
        except OSError:
            continue
        return
