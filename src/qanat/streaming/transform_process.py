"""A process that transforms batches for a stage, as the run sees it."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime

import pyarrow as pa

from qanat import failpoints
from qanat.errors import Retryable
from qanat.records import Transformed
from qanat.streaming.shared_rows import SharedRows
from qanat.streaming.transform_words import SIGNALS, Channel, Failed, Given, Made, Ready, Word

# `-c`, and modules looked for where this process looks for them: the folder of a pipeline's file is among these.
_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[5:]; from qanat.streaming.transform_child import main; "
    "main(sys.argv[1], *map(int, sys.argv[2:5]))"
)
# While it works: how often it is looked whether the run is to stop, and whether the process lives though its line says nothing.
_LOOK_EVERY_S = 1.0
# It ends at once when the line is hung up, unless the function holds the interpreter for so long.
_END_S = 2.0


class Unfit(Exception):
    """The process can't do what the thread can; the message says why."""


class TransformProcess:
    """Starts the process; one thread uses it."""

    def __init__(self, reference: str) -> None:
        self._reference = reference
        self._ready = False
        with ExitStack() as stack:
            ours, theirs = socket.socketpair()
            stack.callback(ours.close)
            with theirs:
                self._given = SharedRows.nameless()
                stack.callback(self._given.close)
                self._made = SharedRows.nameless()
                stack.callback(self._made.close)
                self._process = _started(
                    reference, theirs.fileno(), self._given.descriptor, self._made.descriptor
                )
            self._channel = Channel(ours)
            self._closing = stack.pop_all()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def is_ready(self, since: float) -> bool:
        """Tell whether it has found the function; doesn't wait.

        Args:
            since: Code that was changed after this (seconds since 1970) isn't what this process has.

        Raises:
            EOFError: It has died.
            Unfit: It can't be used.
        """
        if not self._ready:
            word = self._channel.hear(0.0)
            if isinstance(word, Failed):
                raise Unfit(word.reason)
            if isinstance(word, Ready):
                self._mind_same(word, since)
                self._ready = True
        return self._ready

    def transform(
        self, rows: pa.Table, judged_at: datetime, stop: threading.Event
    ) -> Transformed | Failed:
        """Have a batch transformed.

        Raises:
            EOFError: It has died.
            OSError: There isn't enough memory.
            Unfit: The rows are of a kind that can't be handed over.
            Retryable: The run is to stop, and the batch takes long.
        """
        try:
            (length,) = self._given.write([rows])
        except pa.ArrowException as error:
            raise Unfit(f"its rows can't be handed over: {type(error).__name__}") from error
        self._channel.say(Given(length, judged_at))
        word = self._awaited(stop)
        if not isinstance(word, Made):
            return word if isinstance(word, Failed) else Failed("its process answers nonsense")
        if word.rejected is None:
            return Transformed(*self._made.copied([word.rows]))
        return Transformed(*self._made.copied([word.rows, word.rejected]))

    def close(self) -> int:
        """End it; return its exit code. May be called again."""
        if not self._ready:
            self._process.kill()  # it imports, and doesn't listen yet
        self._closing.close()
        try:
            return self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _mind_same(self, ready: Ready, since: float) -> None:
        module = sys.modules[self._reference.partition(":")[0]]
        if ready.file != (getattr(module, "__file__", None) or ""):
            raise Unfit(f"its process finds {module.__name__} in another file")
        if ready.changed_at > since:
            raise Unfit("its code was changed since the run began")

    def _awaited(self, stop: threading.Event) -> Word:
        while (word := self._channel.hear(_LOOK_EVERY_S)) is None:
            if self._process.poll() is not None:
                raise EOFError  # a process of its own holds the line
            if stop.is_set():
                raise Retryable("the run stops while a batch is transformed")
        return word


def _started(reference: str, *descriptors: int) -> "subprocess.Popen[bytes]":
    environment = dict(os.environ)
    environment.pop(failpoints.VARIABLE, None)  # faults are the run's
    command = [sys.executable, *(["-O"] * sys.flags.optimize), "-c", _PROGRAM, reference]
    with _signals_kept_off():
        return subprocess.Popen(
            [*command, *map(str, descriptors), *map(str, sys.path)],
            stdin=subprocess.DEVNULL,
            pass_fds=descriptors,
            env=environment,
        )


@contextmanager
def _signals_kept_off() -> Iterator[None]:
    """Have a process started that isn't ended by signals before it has handlers for them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
