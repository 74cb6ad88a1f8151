"""Fetching what is missing of one file."""

import os
import threading

from qanat import failpoints
from qanat.errors import QanatError, Retryable
from qanat.sources.files_names import raw_name
from qanat.sources.remote_server import CannotResume, RemoteServer
from qanat.sources.remote_spool import Copy


class Stopping(QanatError):
    """The run ends."""


def download(copy: Copy, server: RemoteServer, stop: threading.Event) -> int:
    """Fetch what is missing of a file; return from which byte on.

    Raises:
        Retryable: The connection broke, or the file ended before its size; what came is kept.
        FileNotFoundError: It is gone.
        Stopping: `stop` was set.
    """
    start = copy.part.stat().st_size if copy.part.exists() else 0
    if start > copy.stat.size:
        start = 0
    raw = raw_name(copy.stat.name)
    with copy.part.open("r+b" if start else "wb") as file:
        file.seek(start)
        try:
            for block in server.read(raw, start, copy.stat.size):
                file.write(block)
                failpoints.reach("fetch.partial")
                if stop.is_set():
                    raise Stopping
        except CannotResume:
            file.truncate(0)
            raise
        file.flush()
        os.fsync(file.fileno())
        size = file.tell()
    if size < copy.stat.size:
        raise Retryable(f"{copy.stat.name} broke off at byte {size} of {copy.stat.size}.")
    if size > copy.stat.size:
        copy.part.unlink()
        raise Retryable(f"{copy.stat.name} grew while it was fetched.")
    return start
