"""Signals as calls in a thread of their own.

A handler in Python runs in the main thread, between two of its instructions: not while that waits in a driver, and never
where a lock may be held. The interpreter also writes each signal's number to a socket at once, and a thread reads it there.
"""

import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

# For the thread to see the end: it is only blocked in a read that the closing ends.
JOIN_S_MAX = 5.0


@contextmanager
def handled(handlers: Mapping[int, Callable[[], None]]) -> Iterator[None]:
    """Call `handlers` for their signals until the end of the context, one after the other.

    A signal that is ignored stays so (`nohup`). In another than the main thread nothing is done: signals are the process's.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    ours = [number for number in handlers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _nothing) for number in ours}
    wakeup = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    thread = threading.Thread(target=_serve, args=(reading, handlers), name="signals", daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        writing.close()
        thread.join(JOIN_S_MAX)
        reading.close()


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """Take the place of the default, which would end the process."""


def _serve(reading: socket.socket, handlers: Mapping[int, Callable[[], None]]) -> None:
    while numbers := reading.recv(64):
        for number in numbers:
            if number in handlers:
                handlers[number]()
