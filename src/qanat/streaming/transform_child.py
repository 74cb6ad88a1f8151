"""The process that transforms batches for a run. It ends as soon as the run does, whatever it is doing.

`transform_process` starts it; it imports hardly more than the pipeline's function does.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, cast

import pyarrow as pa

from qanat.streaming.shared_rows import SharedRows, read
from qanat.streaming.transform_words import SIGNALS, Channel, Failed, Given, Made, Ready, Word
from qanat.wiring import load

if TYPE_CHECKING:
    from qanat.records import Transformed

    Transform = Callable[[pa.Table, datetime], Transformed]


def main(reference: str, *descriptors: int) -> None:
    """Transform what comes, until the run hangs up.

    Args:
        reference: The function, `module:attribute`.
        descriptors: The line to the run, the memory for what is given, and that for what is made.
    """
    _leave_signals_to_the_run()
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    line, given, made = descriptors
    channel = Channel(socket.socket(fileno=line))
    words: SimpleQueue[Word] = SimpleQueue()
    threading.Thread(target=_listen, args=(channel, words), daemon=True).start()
    memory = SharedRows(given), SharedRows(made)
    with suppress(EOFError):  # the thread that listens ends us
        try:
            function = cast("Transform", load(reference))
            channel.say(_ready(reference))
        except Exception as error:  # noqa: BLE001 - the run's thread does it, where the same error shows
            channel.say(Failed(f"its process can't import {reference}: {type(error).__name__}"))
            return
        while True:
            channel.say(_answer(function, cast("Given", words.get()), *memory))


def _leave_signals_to_the_run() -> None:
    """Do nothing at those that it keeps off while it starts us; a program that the function starts has them as usual."""
    for number in SIGNALS:
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _listen(channel: Channel, words: "SimpleQueue[Word]") -> None:
    try:
        while (word := channel.hear()) is not None:
            words.put(word)
    except EOFError:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(0)


def _ready(reference: str) -> Ready:
    module = sys.modules[reference.partition(":")[0]]
    files = {getattr(each, "__file__", None) for each in list(sys.modules.values())}
    changed_at = 0.0
    for file in filter(None, files):
        with suppress(OSError):
            changed_at = max(changed_at, Path(file).stat().st_ctime)  # no program can set this one
    return Ready(getattr(module, "__file__", None) or "", changed_at)


def _answer(function: "Transform", word: Given, given: SharedRows, made: SharedRows) -> Word:
    try:
        return _made(function, word, given, made)
    except Exception as error:  # noqa: BLE001 - the run's thread does it, where the same error shows
        return Failed(f"it fails in its process: {type(error).__name__}")


def _made(function: "Transform", word: Given, given: SharedRows, made: SharedRows) -> Word:
    view = given.view(word.length).toreadonly()
    rows = read(pa.py_buffer(view))
    transformed = function(rows, word.judged_at)
    tables = [transformed.rows]
    if transformed.rejected is not None:
        tables.append(transformed.rejected)
    lengths = made.write(tables)
    del rows, transformed, tables
    try:
        view.release()
    except BufferError:
        return Failed("it keeps rows that it was given, and the next batch would overwrite them")
    return Made(lengths[0], lengths[1] if len(lengths) > 1 else None)
