"""Side files: `NAME.meta.json`, in which a writer promises the size and the digest of NAME."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from qanat.digests import ALGORITHM

# One has about 100 bytes. Anything much larger is something else under this name.
SIDE_FILE_BYTES_MAX: Final = 64 << 10
_DIGEST: Final = re.compile("[0-9a-f]{32}")
_EXAMPLE: Final = f'{{"size": 123, "digest": "32 hexadecimal digits", "algorithm": "{ALGORITHM}"}}'


class BadSideFile(ValueError):
    """A side file says something that can't be used; the message says what."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What a side file says: size in bytes, digest in the form of `qanat.digests`."""

    size: int
    digest: str


def read_side_file(path: Path) -> Promise:
    """Read a side file.

    Raises:
        BadSideFile: It isn't what it should be.
        FileNotFoundError: There is none.
        OSError: It can't be read.
    """
    with path.open("rb") as file:
        content = file.read(SIDE_FILE_BYTES_MAX + 1)
    if len(content) > SIDE_FILE_BYTES_MAX:
        raise BadSideFile(f"it has more than {SIDE_FILE_BYTES_MAX} bytes")
    return parse_side_file(content)


def parse_side_file(content: bytes) -> Promise:
    """Make a promise of what a side file holds.

    Raises:
        BadSideFile: It isn't what it should be.
    """
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadSideFile(f"it is no JSON ({error}); expected {_EXAMPLE}") from error
    if not isinstance(fields, dict):
        raise BadSideFile(f"it is no JSON object; expected {_EXAMPLE}")
    return _promise(fields)


def _promise(fields: dict[str, object]) -> Promise:
    size, digest, algorithm = fields.get("size"), fields.get("digest"), fields.get("algorithm")
    if algorithm != ALGORITHM:
        raise BadSideFile(f"algorithm is {algorithm!r}; only {ALGORITHM!r} is known")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise BadSideFile(f"size is {size!r}; expected a number of bytes")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest.lower()):
        raise BadSideFile(f"digest is {digest!r}; expected 32 hexadecimal digits")
    return Promise(size, digest.lower())
