"""A folder behind FTP or FTPS: fsspec's file system on ftplib, with certificates checked.

fsspec's own FTPS takes any certificate. Ours checks it, encrypts the data as well, and goes on with
the TLS session of the control connection, which many servers demand.
"""

import errno
import ftplib
import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Final

from fsspec.implementations.ftp import FTPFileSystem

from qanat.errors import ConfigError, Retryable
from qanat.sources.remote_address import Access, Address
from qanat.sources.remote_login import Login, login_of
from qanat.sources.remote_server import CannotResume, Entry, NotAllowed, Unreachable

_BLOCK_BYTES: Final = 256 << 10
# Names travel as bytes: one character each, so that any name survives.
_WIRE: Final = "latin-1"
# What a server answers that doesn't know a command, or not with these arguments.
_UNKNOWN: Final = ("500", "501", "502", "504")


class FtpServer:
    """A connection by FTP or FTPS (see `RemoteServer`)."""

    def __init__(self, address: Address, access: Access) -> None:
        self._where = address.url
        self._data: socket.socket | None = None
        login = login_of(address, access)
        with _connecting(address, access, login):
            self._system = _CheckedSystem(address, _client(address, access), login)
            self._ftp = self._system.ftp
            self._facts = self._knows("MLST")
            home = self._ftp.pwd()
        path = address.path
        if path.startswith("~"):
            self._folder = f"{home.rstrip('/')}{path[1:]}" or "/"
        else:
            self._folder = _to_wire(path)
        self._check_folder(address)

    def entries(self) -> list[Entry]:
        with self._talking("listing"):
            if self._facts:
                found = list(self._ftp.mlsd(self._folder, ["type", "size", "modify"]))
                listed = (_from_facts(_from_wire(name), facts) for name, facts in found)
                return [entry for entry in listed if entry is not None]
            # Two questions a file: the only ones with an exact answer that every server knows.
            names = self._names()
            entries = (self._asked(name) for name in names)
            return [entry for entry in entries if entry is not None]

    def entry(self, path: str) -> Entry | None:
        with self._talking("looking"):
            if not self._facts:
                return self._asked(path)
            try:
                answer = self._ftp.sendcmd(f"MLST {self._path(path)}")
            except ftplib.error_perm as error:
                if str(error).startswith("550"):
                    return None
                raise
            line = next((line for line in answer.splitlines() if line.startswith(" ")), "")
            facts = dict(
                fact.lower().split("=", 1)
                for fact in line.strip().partition(" ")[0].split(";")
                if "=" in fact
            )
            return _from_facts(path, facts)

    def read(self, path: str, offset: int, size: int) -> Iterator[bytes]:
        with self._talking("reading"):
            try:
                self._binary()
                data = self._ftp.transfercmd(f"RETR {self._path(path)}", rest=offset or None)
            except ftplib.error_perm as error:
                if offset and str(error).startswith(_UNKNOWN):
                    raise CannotResume(f"{self._where} doesn't resume.") from error
                raise
            self._data = data
            complete = False
            try:
                while block := data.recv(_BLOCK_BYTES):
                    yield block
                complete = True
            finally:
                data.close()
                self._data = None
                if not complete:  # the rest of the file, and an answer, would still come
                    self.close()
            self._ftp.voidresp()

    def rename(self, old: str, new: str) -> None:
        if self.entry(new) is not None:  # most servers overwrite
            raise FileExistsError(errno.EEXIST, "the name is taken", new)
        with self._talking("renaming"):
            self._ftp.rename(self._path(old), self._path(new))

    def remove(self, path: str) -> None:
        with self._talking("deleting"), suppress(FileNotFoundError), _no_file(path):
            self._ftp.delete(self._path(path))

    def make_folder(self, name: str) -> None:
        with self._talking("making a folder"):
            try:
                self._ftp.mkd(self._path(name))
            except ftplib.error_perm:
                self._ftp.cwd(self._path(name))  # it is there, or this says why not

    def abort(self) -> None:
        for end in (self._data, self._ftp.sock):
            if end is not None:
                with suppress(OSError):  # it is over already
                    # Not that of TLS, which would take the session away from whoever is using it.
                    socket.socket.shutdown(end, socket.SHUT_RDWR)

    def close(self) -> None:
        self._ftp.close()

    def _path(self, path: str) -> str:
        return f"{self._folder.rstrip('/')}/{_to_wire(path)}"

    def _binary(self) -> None:
        """Ask for bytes as they are: every listing turns to text, in which sizes are other ones."""
        self._ftp.voidcmd("TYPE I")

    def _knows(self, command: str) -> bool:
        try:
            return command in self._ftp.sendcmd("FEAT").upper()
        except ftplib.error_perm:
            return False

    def _check_folder(self, address: Address) -> None:
        with self._talking("looking"):
            try:
                self._ftp.cwd(self._folder)
            except ftplib.error_perm as error:
                self.close()
                raise ConfigError(
                    "--input", address.url, "a folder on the server that we may list", f"{error}"
                ) from error

    def _names(self) -> list[str]:
        try:
            listed = self._ftp.nlst(self._folder)
        except ftplib.error_perm as error:
            if str(error).startswith("550"):  # how some say that it is empty
                return []
            raise
        return [_from_wire(name.rpartition("/")[2]) for name in listed]

    def _asked(self, path: str) -> Entry | None:
        self._binary()
        try:
            size = self._ftp.size(self._path(path))
            changed = self._ftp.sendcmd(f"MDTM {self._path(path)}").partition(" ")[2]
        except ftplib.error_perm as error:
            if str(error).startswith("550"):
                return None
            raise
        return None if size is None else Entry(path, size, _nanoseconds(changed))

    @contextmanager
    def _talking(self, what: str) -> Iterator[None]:
        """Tell what the server answered from a connection that broke."""
        try:
            with _no_file(what):
                yield
        except ftplib.error_perm as error:
            raise NotAllowed(
                f"{what} at {self._where} isn't allowed: {error}", after_s=5.0
            ) from error
        except (FileExistsError, FileNotFoundError):
            raise
        except (OSError, EOFError, ftplib.Error) as error:
            self.close()
            reason = str(error) or type(error).__name__
            raise Unreachable(f"{what} at {self._where} failed: {reason}") from error


class _CheckedSystem(FTPFileSystem):  # type: ignore[misc]  # fsspec has no types
    """fsspec's FTP with a connection of ours."""

    cachable = False

    def __init__(self, address: Address, client: ftplib.FTP, login: Login) -> None:
        self.ftp = client
        self._login = login
        super().__init__(address.host, address.port, tls=address.scheme == "ftps")

    def _connect(self) -> None:
        # With TLS, logging in begins with AUTH; what called us goes on with PROT P.
        self.ftp.connect(self.host, self.port)
        self.ftp.login(_to_wire(self._login.user), _to_wire(self._login.password or ""))


def _client(address: Address, access: Access) -> ftplib.FTP:
    """Make what will connect; its names are bytes, see `_WIRE`."""
    client: ftplib.FTP
    if address.scheme == "ftps":
        trusted = None if access.ca is None else str(access.ca)
        context = ssl.create_default_context(cafile=trusted)
        client = _SessionTls(context=context, timeout=access.timeout_s)
    else:
        # Plain, because the URL says `ftp`; the pages advise against it.
        client = ftplib.FTP(timeout=access.timeout_s)  # noqa: S321
    client.encoding = _WIRE
    return client


class _SessionTls(ftplib.FTP_TLS):
    """FTPS whose data connections go on with the session of the control connection."""

    def ntransfercmd(
        self, cmd: str, rest: int | str | None = None
    ) -> tuple[socket.socket, int | None]:
        plain, size = ftplib.FTP.ntransfercmd(self, cmd, rest)  # noqa: S321 - wrapped below
        session = self.sock.session if isinstance(self.sock, ssl.SSLSocket) else None
        try:
            data = self.context.wrap_socket(plain, server_hostname=self.host, session=session)
        except OSError:
            plain.close()
            raise
        return data, size


@contextmanager
def _connecting(address: Address, access: Access, login: Login) -> Iterator[None]:
    """Tell by what happens next why there is no connection."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise ConfigError(
            "--remote-ca", str(access.ca or "the system's"),
            f"certificates that vouch for {address.host}: {error.verify_message}",
            "Name the file with the certificate of its authority, or its own, with --remote-ca.",
        ) from error  # fmt: skip
    except ssl.SSLError as error:
        if access.ca is not None and "NO_CERTIFICATE" in str(error):
            raise ConfigError("--remote-ca", str(access.ca), "a file of certificates") from error
        raise Unreachable(f"{address.url} can't be reached: {error}") from error
    except ftplib.error_perm as error:
        if str(error).startswith(_UNKNOWN) and address.scheme == "ftps":
            raise ConfigError(
                "--input", address.url, "a server that knows TLS (AUTH TLS)", f"{error}"
            ) from error
        raise ConfigError(
            "--input", address.url, f"a server that lets {login.user!r} in",
            "Set QANAT_REMOTE_PASSWORD or --remote-password-file, or add it to ~/.netrc.",
        ) from error  # fmt: skip
    except (OSError, EOFError, ftplib.Error) as error:
        if access.ca is not None and not access.ca.is_file():
            raise ConfigError("--remote-ca", str(access.ca), "a file of certificates") from error
        raise Unreachable(f"{address.url} can't be reached: {error}") from error


@contextmanager
def _no_file(what: str) -> Iterator[None]:
    try:
        yield
    except ftplib.error_perm as error:
        if str(error).startswith("550"):
            raise FileNotFoundError(errno.ENOENT, str(error), what) from error
        raise


def _from_facts(name: str, facts: dict[str, str]) -> Entry | None:
    if facts.get("type", "").lower() != "file" or "size" not in facts:
        return None
    return Entry(name, int(facts["size"]), _nanoseconds(facts.get("modify", "")))


def _nanoseconds(text: str) -> int:
    """Read a time such as 20260131120000 or 20260131120000.123, which is in UTC."""
    whole, _, fraction = text.strip().partition(".")
    if len(whole) != 14 or not whole.isdecimal():
        raise Retryable(f"the server tells the time of a file as {text!r}.", after_s=5.0)
    moment = datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return int(moment.timestamp()) * 10**9 + int(fraction[:9].ljust(9, "0") or 0)


def _to_wire(name: str) -> str:
    return os.fsencode(name).decode(_WIRE)


def _from_wire(name: str) -> str:
    return os.fsdecode(name.encode(_WIRE))
