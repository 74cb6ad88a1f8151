"""Asking the operating system whether anybody has a file open for writing."""

import os
import signal
import sys
from pathlib import Path

if sys.platform == "win32":
    import ctypes

    _GENERIC_READ = 0x80000000
    _SHARE_READ_AND_DELETE = 0x1 | 0x4
    _OPEN_EXISTING = 3
    _SHARING_VIOLATION = 32

    def has_writer(path: Path, descriptor: int) -> bool | None:  # noqa: ARG001 - for POSIX
        """Tell whether anybody has the file open for writing; None if the system can't say.

        Opening it without sharing it for writing succeeds only while there is no writer.
        """
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.CreateFileW.restype = ctypes.c_void_p
        handle = kernel.CreateFileW(
            str(path), _GENERIC_READ, _SHARE_READ_AND_DELETE, None, _OPEN_EXISTING, 0, None
        )
        if handle != ctypes.c_void_p(-1).value:
            kernel.CloseHandle(ctypes.c_void_p(handle))
            return False
        return True if ctypes.get_last_error() == _SHARING_VIOLATION else None

    def renamed_after_writing(found: os.stat_result) -> bool | None:  # noqa: ARG001 - for POSIX
        """Windows keeps no time of the last rename."""
        return None

else:
    import fcntl

    def has_writer(path: Path, descriptor: int) -> bool | None:  # noqa: ARG001 - for Windows
        """Tell whether anybody has the file open for writing; None if the system can't say.

        Linux grants a read lease only while there is no writer (fcntl(2), F_SETLEASE). It takes the
        file's owner or a privileged process to ask. Asking and giving the lease back takes 8 µs; a
        writer who opens the file in between is held up for so long, no more (if it refuses to wait,
        with O_NONBLOCK, it gets EWOULDBLOCK).

        Only for local file systems: on NFS and SMB a refusal tells of the server's promises, not of
        writers.
        """
        if sys.platform != "linux":
            return None
        try:
            # The notice that a writer came would be SIGIO, which ends a process that doesn't expect
            # it; SIGURG is ignored.
            fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except BlockingIOError:
            return True
        except OSError:  # not the owner (EACCES); leases are switched off, or unknown here (EINVAL)
            return None
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return False

    def renamed_after_writing(found: os.stat_result) -> bool | None:
        """Tell whether a local file's name, or something else but its content, changed after its
        last write.

        Writing sets the time of content and of status to the same value, renaming only that of
        status. So does changing the mode, which many do right after creating a file: an empty one
        is never said to be renamed.
        """
        return found.st_size > 0 and found.st_ctime_ns > found.st_mtime_ns
