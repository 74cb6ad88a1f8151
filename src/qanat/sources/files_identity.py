"""Which file is which: what `stat` says, made comparable across restarts, and kinds of mounts that
can't be trusted with it.
"""

import os
import re
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from qanat.records import FileStat

# A store's integer has a sign. NTFS and some network file systems use all 64 bits.
_SIGNED_MASK: Final = (1 << 63) - 1
# File systems on which another machine may write: no events from there, and nobody here knows who
# has a file open.
_REMOTE_TYPES: Final = frozenset({
    "9p", "afpfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "fakeowner", "fuse", "gfs2",
    "glusterfs", "gpfs", "lustre", "macfuse", "ncpfs", "nfs", "nfs4", "ocfs2", "osxfuse", "prl_fs",
    "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs", "webdav",
})  # fmt: skip
# macOS and the BSDs have no /proc/self/mountinfo.
_MOUNT_COMMAND: Final = Path("/sbin/mount")
_MOUNT_LINE: Final = re.compile(r"^.* on (?P<at>/.*) \((?P<type>[^,)]+)[,)]")


@dataclass(slots=True)
class Identity:
    """How the files of one folder are told apart.

    Attributes:
        device: The folder's device. A file on it gets device 0: the numbers of network mounts, of
            btrfs and of containers change with a restart, and kept files would look new.
        remote: Another machine may write here.
        lasting_inodes: False where inodes are made up by the mounting program (FUSE, as sshfs) and
            change while it runs; there every inode is 0.
    """

    device: int
    remote: bool
    lasting_inodes: bool

    @classmethod
    def of_folder(cls, path: Path) -> "Identity":
        """Look at the folder's mount."""
        kind = mount_type(path)
        made_up = kind == "fuse" or kind.startswith("fuse.")
        remote = made_up or kind in _REMOTE_TYPES
        return cls(path.stat().st_dev, remote, not made_up)

    def renew(self, path: Path) -> None:
        """Learn the folder's device again: it may have been mounted anew, under another number."""
        self.device = path.stat().st_dev

    def of(self, name: str, found: os.stat_result) -> FileStat:
        """Return what is known of a file under the given name."""
        inode = found.st_ino & _SIGNED_MASK if self.lasting_inodes else 0
        device = 0 if found.st_dev == self.device else found.st_dev & _SIGNED_MASK
        return FileStat(name, found.st_size, found.st_mtime_ns, inode, device)

    def at(self, path: Path, name: str) -> FileStat | None:
        """Return what is known of the regular file at `path`, or None when there is none."""
        try:
            found = path.stat(follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return self.of(name, found) if stat.S_ISREG(found.st_mode) else None

    def same(self, path: Path, expected: FileStat) -> bool:
        """Tell whether `path` is that very file, under whatever name."""
        found = self.at(path, expected.name)
        return found is not None and unchanged(found, expected)


def unchanged(found: FileStat, expected: FileStat) -> bool:
    """Compare size, time of change and inode; the device's number may change with a mount."""
    return found[1:4] == expected[1:4]


def mount_type(path: Path) -> str:
    """Return the type of the file system below `path` (`ext4`, `nfs4`, `fuse.sshfs`), or an empty
    text if it isn't known.
    """
    resolved = path.resolve()
    if sys.platform == "win32":
        # A mapped drive resolves to the share's own name.
        return "smbfs" if str(resolved).startswith("\\\\") else ""
    best = max(
        ((at, kind) for at, kind in _mounts() if resolved.is_relative_to(at)),
        key=lambda mount: len(mount[0]),
        default=("", ""),
    )
    return best[1]


def _mounts() -> list[tuple[str, str]]:
    """Every mount as (place, type), later ones hiding earlier ones at the same place by coming
    first.
    """
    mountinfo = Path("/proc/self/mountinfo")
    if mountinfo.exists():
        lines = os.fsdecode(mountinfo.read_bytes()).split("\n")
        return [_mountinfo_line(line) for line in reversed(lines) if line]
    if not _MOUNT_COMMAND.exists():
        return []
    listed = subprocess.run([_MOUNT_COMMAND], capture_output=True, check=False)
    matches = map(_MOUNT_LINE.match, os.fsdecode(listed.stdout).split("\n"))
    return [(match["at"], match["type"]) for match in matches if match]


def _mountinfo_line(line: str) -> tuple[str, str]:
    before, _, after = line.partition(" - ")
    place = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), before.split(" ")[4])
    return place, after.split(" ")[0]
