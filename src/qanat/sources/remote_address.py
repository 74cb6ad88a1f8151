"""Where a remote folder is, and what can be asked of it."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from qanat.errors import ConfigError
from qanat.sources.files_options import After, Ready

# The port of each scheme. `ftps` begins plain and turns to TLS before the password (AUTH TLS).
PORTS: Final = {"sftp": 22, "ftp": 21, "ftps": 21}
_EXAMPLE: Final = "a URL such as sftp://USER@HOST/FOLDER, ftp://… or ftps://…"
_SIGNED_MASK: Final = (1 << 63) - 1
_GIB: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Address:
    """A folder on a server.

    Attributes:
        user: Empty when the URL names none.
        path: Absolute, or `~` and `~/…`, which begin where the login does.
    """

    scheme: str
    host: str
    port: int
    user: str
    path: str

    @property
    def url(self) -> str:
        """The address as people write it. It never has a password."""
        user = f"{quote(self.user, safe='')}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        path = self.path if self.path.startswith("/") else f"/{self.path}"
        return (
            f"{self.scheme}://{user}{host}{port}{quote(path, safe='/~', errors='surrogateescape')}"
        )

    @property
    def number(self) -> int:
        """What tells this folder's files from others of the same name, size and time."""
        return int.from_bytes(self._digest()[:8], "big") & _SIGNED_MASK

    @property
    def key(self) -> str:
        """A name for a folder on disk."""
        return self._digest().hex()[:16]

    def _digest(self) -> bytes:
        return hashlib.sha256(self.url.encode(errors="surrogateescape")).digest()


@dataclass(frozen=True, slots=True)
class Access:
    """How the server is reached, and how both sides prove who they are.

    Attributes:
        user: Goes before the one in the URL.
        password_file: Its first line is the password.
        key: A private key for SFTP.
        known_hosts: Instead of the user's and the system's.
        host_key: The fingerprint of the server's key, `SHA256:…`, instead of any such file.
        ca: Certificates that FTPS trusts, instead of the system's.
        timeout_s: How long the server may be silent.
    """

    user: str = ""
    password_file: Path | None = None
    key: Path | None = None
    known_hosts: Path | None = None
    host_key: str = ""
    ca: Path | None = None
    timeout_s: float = 30.0


@dataclass(frozen=True, slots=True)
class RemoteOptions:
    """Which remote folder, which of its files, and what becomes of them.

    Attributes:
        spool: The local folder for the copies.
        poll_s: Seconds between two listings.
        spool_bytes_max: While so much is fetched and not counted, nothing more is fetched.
    """

    address: Address
    spool: Path
    access: Access = field(default_factory=Access)
    pattern: str = "*"
    ready: Ready = Ready.RENAME
    rest_s: float = 10.0
    after: After = After.MOVE
    poll_s: float = 1.0
    spool_bytes_max: int = 16 * _GIB

    def check(self) -> None:
        """Refuse what can't work.

        Raises:
            ConfigError: A value makes no sense.
        """
        for name in ("rest_s", "poll_s"):
            if not getattr(self, name) > 0:
                raise ConfigError(name, getattr(self, name), "above 0 seconds")
        if not self.access.timeout_s > 0:
            raise ConfigError("--remote-timeout", self.access.timeout_s, "above 0 seconds")
        if self.spool_bytes_max <= 0:
            raise ConfigError("--remote-spool", self.spool_bytes_max, "above 0 bytes")
        if not self.pattern or "/" in self.pattern:
            raise ConfigError("pattern", self.pattern, "a pattern of file names, such as '*.txt'")


def is_remote(location: str) -> bool:
    """Tell whether an input is the address of a remote folder, and not a local one."""
    return "://" in location and location.partition("://")[0].lower() in PORTS


def address_of(location: str) -> Address:
    """Read the address of a remote folder.

    Raises:
        ConfigError: It isn't one, or it holds a password. The message doesn't show it.
    """
    parts = urlsplit(location)
    shown = f"{parts.scheme}://…@{parts.netloc.rpartition('@')[2]}{parts.path}"
    if parts.password is not None:
        raise ConfigError(
            "--input", shown, "a URL without a password",
            "Lists of processes show it. Set QANAT_REMOTE_PASSWORD, --remote-password-file, or use"
            " a key, an SSH agent or ~/.netrc.",
        )  # fmt: skip
    try:
        port = parts.port
    except ValueError as error:
        raise ConfigError("--input", shown, _EXAMPLE, str(error)) from error
    if parts.scheme not in PORTS or not parts.hostname or parts.query or parts.fragment:
        hint = "Write ? and # in a folder's name as %3F and %23."
        raise ConfigError("--input", shown, _EXAMPLE, hint)
    path = unquote(parts.path, errors="surrogateescape").rstrip("/") or "/"
    if path == "/~" or path.startswith("/~/"):
        path = path[1:]
    user = unquote(parts.username or "")
    return Address(parts.scheme, parts.hostname, port or PORTS[parts.scheme], user, path)
