r"""Names of files: as people and databases see them, which ones aren't input, and what is told by
their ends.

A name is any bytes on Linux. As text it shows itself, except for what isn't printable: a byte that
is no UTF-8 or an ASCII control is `\xHH`, any other unprintable character is `\uHHHH` or
`\UHHHHHHHH`, a backslash is doubled. Each name has one such text, and each such text one name;
ordinary names are unchanged.
"""

import os
import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Final

SIDE_FILE_SUFFIX: Final = ".meta.json"

_COMPRESSIONS: Final = {".gz": "gz", ".zst": "zst"}
# What uploaders, browsers and editors call a file that isn't finished. Beside these, every name
# with a leading dot (rsync, lftp, Hadoop) or tilde (Syncthing, office programs).
_TEMPORARY_SUFFIXES: Final = (
    ".part", ".partial", ".filepart", ".tmp", ".temp", ".crdownload", ".download", ".swp",
    ".inprogress", ".uploading", "~",
)  # fmt: skip
_ESCAPE = re.compile(r"\\(?:(\\)|x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")
# The limit of every file system we know of, in bytes of the encoded name.
_NAME_BYTES_MAX: Final = 255


def shown(raw: str) -> str:
    """Return the text of a name as the system gave it (with surrogates for bytes that aren't
    UTF-8).
    """
    if raw.isprintable() and "\\" not in raw:
        return raw
    return "".join(map(_shown_character, raw))


def raw_name(text: str) -> str:
    """Return the name that `shown` made into `text`. Text that `shown` can't have made is returned
    as it is.
    """
    if "\\" not in text:
        return text
    raw = _ESCAPE.sub(_character, text)
    return raw if shown(raw) == text else text


def is_temporary(raw: str) -> bool:
    """Tell whether a name says that the file isn't finished, or isn't for us."""
    return raw.startswith((".", "~")) or raw.lower().endswith(_TEMPORARY_SUFFIXES)


def is_side_file(raw: str) -> bool:
    """Tell whether a name is that of a side file."""
    return raw.endswith(SIDE_FILE_SUFFIX)


def side_file_of(raw: str) -> str:
    """Return the name of a file's side file."""
    return raw + SIDE_FILE_SUFFIX


def compression_of(raw: str) -> str:
    """Return `none`, `gz` or `zst`, by the name's end."""
    return _COMPRESSIONS.get(PurePath(raw).suffix.lower(), "none")


def alternatives(raw: str, number: int) -> Iterator[str]:
    """Yield the names a file may get where names are never overwritten: its own, NAME~NUMBER.END,
    NAME~NUMBER-2.END, ….

    The end stays, because it tells the compression. Room for a side file's end is left.
    """
    yield raw
    stem, suffix = PurePath(raw).stem, PurePath(raw).suffix
    again = 1
    while True:
        mark = f"~{number}" if again == 1 else f"~{number}-{again}"
        yield shortened(stem, mark + suffix) + mark + suffix
        again += 1


def shortened(text: str, rest: str) -> str:
    """Cut `text` so that it makes a name together with `rest` and a side file's end."""
    room = _NAME_BYTES_MAX - len(os.fsencode(rest + SIDE_FILE_SUFFIX))
    while len(os.fsencode(text)) > max(room, 1):
        text = text[:-1]
    return text


def _shown_character(character: str) -> str:
    code = ord(character)
    if character == "\\":
        return "\\\\"
    if character.isprintable():
        return character
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _character(match: re.Match[str]) -> str:
    backslash, byte, short, long = match.groups()
    if backslash:
        return "\\"
    if byte:
        code = int(byte, 16)
        return chr(code if code < 0x80 else 0xDC00 + code)
    code = int(short or long, 16)
    return chr(code) if code <= 0x10FFFF else match.group()
