"""A folder behind SFTP: fsspec's file system on paramiko, with the server's key checked.

fsspec's own connection takes any server's key by default. Ours takes a key that is known, or none.
"""

import base64
import errno
import hashlib
import logging
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import paramiko
from fsspec.implementations.sftp import SFTPFileSystem

from qanat.errors import ConfigError, Retryable
from qanat.sources.remote_address import Access, Address
from qanat.sources.remote_login import Login, login_of
from qanat.sources.remote_server import Entry, NotAllowed, Unreachable

_KNOWN_HOSTS: Final = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")
# One request a round trip: the most that OpenSSH answers with (its limits@openssh.com says so). A
# server that gives less is asked for the rest.
_REQUEST_BYTES: Final = 255 << 10
_NONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR})

# Its threads would write tracebacks of every cut connection to standard error; we tell of it.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class SftpServer:
    """A connection by SFTP (see `RemoteServer`)."""

    def __init__(self, address: Address, access: Access) -> None:
        self._where = address.url
        login = login_of(address, access)
        with _connecting(address, access, login):
            self._system = _CheckedSystem(address, access, login)
            self._client = self._system.ftp
            self._folder = self._resolved(address.path)
        self._check_folder(address)

    def entries(self) -> list[Entry]:
        with self._talking("listing"):
            found = self._client.listdir_attr(self._folder)
            return [_entry(each.filename, each) for each in found if _is_file(each)]

    def entry(self, path: str) -> Entry | None:
        with self._talking("looking"):
            try:
                found = self._client.lstat(self._path(path))
            except OSError as error:
                if error.errno in _NONE:
                    return None
                raise
            return _entry(path, found) if _is_file(found) else None

    def read(self, path: str, offset: int, size: int) -> Iterator[bytes]:
        with self._talking("reading"), self._client.open(self._path(path), "rb", 0) as file:
            file.MAX_REQUEST_SIZE = _REQUEST_BYTES
            file.seek(offset)
            while offset < size:
                data = file.read(min(_REQUEST_BYTES, size - offset))
                if not data:
                    return
                offset += len(data)
                yield data

    def rename(self, old: str, new: str) -> None:
        with self._talking("renaming"):
            # Most servers refuse to overwrite by themselves, and their answer says nothing.
            if self._exists(new):
                raise FileExistsError(errno.EEXIST, "the name is taken", new)
            self._client.rename(self._path(old), self._path(new))

    def remove(self, path: str) -> None:
        with self._talking("deleting"):
            try:
                self._client.remove(self._path(path))
            except OSError as error:
                if error.errno not in _NONE:
                    raise

    def make_folder(self, name: str) -> None:
        with self._talking("making a folder"):
            if not self._exists(name):
                self._client.mkdir(self._path(name))

    def abort(self) -> None:
        self._system.client.close()

    def close(self) -> None:
        self._system.client.close()

    def _path(self, path: str) -> str:
        return f"{self._folder.rstrip('/')}/{path}"

    def _resolved(self, path: str) -> str:
        if not path.startswith("~"):
            return path
        home = self._client.normalize(".")
        return f"{home.rstrip('/')}{path[1:]}" or "/"

    def _check_folder(self, address: Address) -> None:
        with self._talking("looking"):
            try:
                found = self._client.stat(self._folder)
                self._client.listdir_iter(self._folder)
            except OSError as error:
                if error.errno not in {*_NONE, errno.EACCES}:
                    raise
                found = None
        if found is None or not stat.S_ISDIR(found.st_mode or 0):
            self.close()
            raise ConfigError("--input", address.url, "a folder on the server that we may list")

    def _exists(self, path: str) -> bool:
        try:
            self._client.lstat(self._path(path))
        except OSError as error:
            if error.errno in _NONE:
                return False
            raise
        return True

    @contextmanager
    def _talking(self, what: str) -> Iterator[None]:
        """Tell what the server answered from a connection that broke."""
        try:
            yield
        except UnicodeError as error:
            raise Retryable(
                f"{what} at {self._where} failed: a name isn't UTF-8.", hint="Rename it there."
            ) from error
        except (FileExistsError, FileNotFoundError):
            raise
        except PermissionError as error:
            raise NotAllowed(
                f"{what} at {self._where} isn't allowed: {error.strerror}.", after_s=5.0
            ) from error
        except (OSError, EOFError, paramiko.SSHException) as error:
            self.close()
            reason = str(error) or type(error).__name__
            raise Unreachable(f"{what} at {self._where} failed: {reason}") from error


class _CheckedSystem(SFTPFileSystem):  # type: ignore[misc]  # fsspec has no types
    """fsspec's SFTP with a connection of ours."""

    cachable = False

    def __init__(self, address: Address, access: Access, login: Login) -> None:
        self._address, self._access, self._login = address, access, login
        self.client = paramiko.SSHClient()
        super().__init__(address.host)

    def _connect(self) -> None:
        access, login = self._access, self._login
        client = self.client
        client.set_missing_host_key_policy(_OnlyKnown(access.host_key))
        if not access.host_key:
            _load_known_hosts(client, access.known_hosts)
        alone = access.key is None and login.password is not None
        client.connect(
            self._address.host,
            self._address.port,
            username=login.user,
            password=None if access.key else login.password,
            pkey=None if access.key is None else _private_key(access.key, login.password),
            allow_agent=not alone,
            look_for_keys=not alone and access.key is None,
            timeout=access.timeout_s,
            banner_timeout=access.timeout_s,
            auth_timeout=access.timeout_s,
            channel_timeout=access.timeout_s,
        )
        self.ftp = client.open_sftp()
        channel = self.ftp.get_channel()
        if channel is not None:
            channel.settimeout(access.timeout_s)


class _UnknownKey(paramiko.SSHException):
    """The server's key isn't known; the message is its fingerprint."""


class _OnlyKnown(paramiko.MissingHostKeyPolicy):
    """Refuses every key but the one that was named."""

    def __init__(self, wanted: str) -> None:
        self._wanted = wanted

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        if not self._wanted or fingerprint(key) != self._wanted.rstrip("="):
            raise _UnknownKey(fingerprint(key))


def fingerprint(key: paramiko.PKey) -> str:
    """Return a key's fingerprint as `ssh-keygen -l` prints it."""
    digest = hashlib.sha256(key.asbytes()).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def _private_key(path: Path, passphrase: str | None) -> paramiko.PKey:
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key_file(str(path.expanduser()), passphrase)
        except (OSError, TypeError, ValueError, paramiko.SSHException) as error:
            reason = error  # of another kind, perhaps
    hint = (
        "Its passphrase comes from QANAT_REMOTE_PASSWORD or --remote-password-file; or leave it to"
        " the SSH agent."
    )
    raise ConfigError("--remote-key", str(path), "a private key that can be read", hint) from reason


def _load_known_hosts(client: paramiko.SSHClient, chosen: Path | None) -> None:
    paths = [Path(path).expanduser() for path in _KNOWN_HOSTS] if chosen is None else [chosen]
    for path in paths:
        if chosen is None and not path.is_file():
            continue
        try:
            client.load_system_host_keys(str(path.expanduser()))
        except (OSError, ValueError, paramiko.hostkeys.InvalidHostKey) as error:
            raise ConfigError(
                "--remote-known-hosts", str(path), "a known_hosts file", f"{error}"
            ) from error


@contextmanager
def _connecting(address: Address, access: Access, login: Login) -> Iterator[None]:
    """Tell by what happens next why there is no connection."""
    port = f" -p {address.port}" if address.port != 22 else ""
    try:
        yield
    except _UnknownKey as error:
        setting = "--remote-host-key" if access.host_key else "--remote-known-hosts"
        raise ConfigError(
            setting, access.host_key or str(access.known_hosts or _KNOWN_HOSTS[0]),
            f"one that knows the server; {address.host} has the key {error}",
            "Compare that with what the server's operator says. Then name it with"
            f" --remote-host-key {error}, or add it: ssh-keyscan{port} {address.host} >> FILE",
        ) from error  # fmt: skip
    except paramiko.BadHostKeyException as error:
        raise ConfigError(
            "--remote-known-hosts", str(access.known_hosts or _KNOWN_HOSTS[0]),
            f"one that knows the server; {address.host} has another key than there:"
            f" {fingerprint(error.key)}",
            "Somebody may be in between. If the server was set up anew, replace its line there.",
        ) from error  # fmt: skip
    except paramiko.SSHException as error:
        if isinstance(error, paramiko.AuthenticationException) or "No auth" in str(error):
            raise _refused(address, access, login) from error
        raise Unreachable(f"{address.url} can't be reached: {error}") from error
    except (OSError, EOFError) as error:
        raise Unreachable(f"{address.url} can't be reached: {error}") from error


def _refused(address: Address, access: Access, login: Login) -> ConfigError:
    if access.key is not None:
        used = f"the key {access.key}"
    else:
        used = "the SSH agent and the keys in ~/.ssh" if login.password is None else "a password"
    return ConfigError(
        "--input", address.url, f"a server that lets {login.user!r} in; it refused {used}",
        "Name a key with --remote-key, add one to the SSH agent, or set QANAT_REMOTE_PASSWORD.",
    )  # fmt: skip


def _is_file(found: paramiko.SFTPAttributes) -> bool:
    return stat.S_ISREG(found.st_mode or 0)


def _entry(name: str, found: paramiko.SFTPAttributes) -> Entry:
    return Entry(name, found.st_size or 0, (found.st_mtime or 0) * 10**9)
