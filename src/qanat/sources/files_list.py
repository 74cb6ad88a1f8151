"""Which entries of a folder are input."""

import os
import re
import stat
import sys
from fnmatch import translate
from pathlib import Path

from qanat.records import FileStat
from qanat.sources.files_identity import Identity
from qanat.sources.files_names import is_side_file, is_temporary, shown
from qanat.sources.files_options import FolderOptions, Ready


class Listing:
    """Lists the candidates of one folder."""

    def __init__(self, options: FolderOptions, identity: Identity) -> None:
        self._options = options
        self._identity = identity
        # As the system itself compares names.
        flags = re.IGNORECASE if sys.platform == "win32" else 0
        self._matches = re.compile(translate(options.pattern), flags).match

    def relevant(self, raw: str) -> bool:
        """Tell whether a change of that name is a reason to look."""
        if is_side_file(raw):
            return self._options.ready is Ready.SIDE_FILE
        return self._is_input(raw)

    def entries(self) -> tuple[list[FileStat], frozenset[str]]:
        """Return all candidates, at one `stat` each, and the raw names of all side files.

        Raises:
            OSError: The folder can't be listed.
        """
        stats: list[FileStat] = []
        side_files: list[str] = []
        with os.scandir(self._options.path) as entries:
            for entry in entries:
                if is_side_file(entry.name):
                    side_files.append(entry.name)
                elif self._is_input(entry.name):
                    found = self._stat(entry)
                    if found is not None:
                        stats.append(found)
        return stats, frozenset(side_files)

    def _is_input(self, raw: str) -> bool:
        return not is_temporary(raw) and self._matches(raw) is not None

    def _stat(self, entry: "os.DirEntry[str]") -> FileStat | None:
        if sys.platform == "win32":  # a listing has no inodes there
            return self._identity.at(Path(entry.path), shown(entry.name))
        try:
            found = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return None
        return self._identity.of(shown(entry.name), found) if stat.S_ISREG(found.st_mode) else None
