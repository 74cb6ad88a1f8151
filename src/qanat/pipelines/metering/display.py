"""Showing what a run does: a bar on a terminal, plain lines elsewhere."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from qanat.pipelines.metering.settings import Progress as Form
from qanat.runtime.compute import Progress

# A line about every so often where there is no terminal: enough to see life, few enough for a log.
LINE_EVERY_S = 10.0
BAR_EVERY_S = 0.1


@contextmanager
def display(progress: Progress, form: Form) -> Iterator[None]:
    """Show `progress` on standard error until the end of the context."""
    if form is Form.AUTO:
        form = Form.BAR if sys.stderr.isatty() else Form.LINES
    if form is Form.NONE:
        yield
        return
    ended = threading.Event()
    target = _bar if form is Form.BAR else _lines
    thread = threading.Thread(target=target, args=(progress, ended), name="display", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def described(progress: Progress) -> str:
    """Say in a few words what a run does now."""
    done = f"{progress.files:,} files done"
    if not progress.name or progress.done_bytes >= progress.size_bytes:
        return f"waiting for files, {done}"
    share = 100 * progress.done_bytes // progress.size_bytes
    return f"reading {progress.name}, {share} %; {done}"


def _lines(progress: Progress, ended: threading.Event) -> None:
    before, at_s = progress.read_bytes, time.monotonic()
    while not ended.wait(LINE_EVERY_S):
        now, now_s = progress.read_bytes, time.monotonic()
        if now != before:
            rate = (now - before) / (now_s - at_s)
            sys.stderr.write(
                f"{progress.name}: {progress.done_bytes / 1e6:,.0f} of {progress.size_bytes / 1e6:,.0f} MB,"
                f" {progress.lines:,} lines and {progress.files:,} files done, {rate / 1e6:,.0f} MB/s\n"
            )
        before, at_s = now, now_s


def _bar(progress: Progress, ended: threading.Event) -> None:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[lines]:,} lines, {task.fields[files]:,} files"),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("waiting for files", total=None, lines=0, files=0)
        name = ""
        while not ended.wait(BAR_EVERY_S):
            if progress.name != name:
                name = progress.name
                bars.reset(task, total=progress.size_bytes or None, description=name)
            bars.update(
                task,
                completed=progress.done_bytes,
                total=progress.size_bytes or None,
                lines=progress.lines,
                files=progress.files,
            )
