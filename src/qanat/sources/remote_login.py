"""With which name and which secret we log in. A secret is read when it is needed, and never shown."""

import getpass
import netrc
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from qanat.errors import ConfigError
from qanat.sources.remote_address import Access, Address

PASSWORD: Final = "QANAT_REMOTE_PASSWORD"  # noqa: S105 - the name of a variable
"""The environment variable with the password, or with the passphrase of the key."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are.

    Attributes:
        password: None where there is none.
    """

    user: str
    password: str | None = field(repr=False)


def login_of(address: Address, access: Access) -> Login:
    """Find the name and the password: settings first, then the URL, then ~/.netrc.

    Raises:
        ConfigError: The password's file, or ~/.netrc, can't be read.
    """
    user = access.user or address.user
    password = os.environ.get(PASSWORD) or _from_file(access.password_file)
    if password is None and access.key is None:
        noted_user, noted = _from_netrc(address.host, user)
        user, password = user or noted_user, noted
    if not user:
        user = getpass.getuser() if address.scheme == "sftp" else "anonymous"
    return Login(user, password)


def _from_file(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        lines = path.expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it isn't UTF-8"
        raise ConfigError(
            "--remote-password-file", str(path), "a file that can be read", f"{reason}"
        ) from error
    return lines[0] if lines and lines[0] else None


def _from_netrc(host: str, user: str) -> tuple[str, str | None]:
    """Look the host up, unless the entry is for another user."""
    path = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
    if not path.is_file():
        return "", None
    try:
        found = netrc.netrc(path).authenticators(host)
    except (OSError, netrc.NetrcParseError) as error:
        # What can't be parsed may be a password: only the place is told.
        line = getattr(error, "lineno", None)
        place = str(path) if line is None else f"{path}, line {line}"
        raise ConfigError(
            "~/.netrc", place, "a file that netrc(5) describes, and that only you can read"
        ) from error
    if found is None or (user and found[0] and found[0] != user):
        return "", None
    return found[0] or "", found[2]
