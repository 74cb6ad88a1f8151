"""Showing what a run of streams does: a line every so often."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from qanat.runtime.streamrun import StreamRun

# Enough to see life on a terminal, few enough for a log.
TERMINAL_EVERY_S = 1.0
LINE_EVERY_S = 30.0


@contextmanager
def display(run: StreamRun, stream: TextIO) -> Iterator[None]:
    """Show a run until the end of the context."""
    ended = threading.Event()
    thread = threading.Thread(target=_lines, args=(run, stream, ended), name="display", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def described(run: StreamRun) -> str:
    """Say in a few words what a run does now."""
    stalled = [
        f"{meter.stage}: {told[1]}" for meter in run.meters if (told := meter.stall()) is not None
    ]
    return "; ".join(stalled) or ", ".join(
        f"{meter.stage} {meter.records:,}" for meter in run.meters
    )


def _lines(run: StreamRun, stream: TextIO, ended: threading.Event) -> None:
    terminal = stream.isatty()
    before = ""
    while not ended.wait(TERMINAL_EVERY_S if terminal else LINE_EVERY_S):
        now = described(run)
        if now != before:
            stream.write(f"\r\x1b[2K{now}" if terminal else f"{now}\n")
            stream.flush()
        before = now
    if terminal and before:
        stream.write("\n")
