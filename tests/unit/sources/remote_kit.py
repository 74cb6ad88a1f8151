"""What the tests of remote folders share: one folder behind OpenSSH, and behind FTP in three ways."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from qanat.clock import SystemClock
from qanat.digests import ALGORITHM, ChunkDigest
from qanat.prove.cutter import Cutter
from qanat.prove.ftp_server import USER, FtpServer
from qanat.records import FileStat
from qanat.sources.remote import Access, Address, Known, RemoteFolder, RemoteOptions
from qanat.sources.remote_ftp import FtpServer as FtpConnection
from qanat.sources.remote_server import Connect
from qanat.sources.remote_sftp import SftpServer
from tests.remote_services import Sshd, free_port

PASSWORD = "secret word"
KINDS = ("sftp", "ftp", "ftps", "ftp-old")
CONTENT = b"".join(b"%d %d\n" % (number, number * 7) for number in range(200_000))


class OldFtp(FtpConnection):
    """As if the server knew none of the newer listings: two questions a file."""

    def _knows(self, command: str) -> bool:
        return False


@dataclass(slots=True)
class Store:
    """What a store would know of files."""

    known: dict[FileStat, Known] = field(default_factory=dict)

    def ask(self, stats: Sequence[FileStat]) -> Mapping[FileStat, Known]:
        return {stat: self.known[stat] for stat in stats if stat in self.known}


@dataclass(slots=True)
class Remote:
    """A folder, the server in front of it, and how to reach that through a proxy.

    Attributes:
        path: The folder as this machine sees it.
        data: The proxy that the file's bytes pass.
    """

    path: Path
    spool: Path
    address: Address
    access: Access
    data: Cutter
    make: Callable[[Address, Access], object]
    store: Store = field(default_factory=Store)

    def put(self, name: str, content: bytes = CONTENT) -> None:
        (self.path / f".{name}.part").write_bytes(content)
        (self.path / f".{name}.part").rename(self.path / name)

    def options(self, **chosen: object) -> RemoteOptions:
        return RemoteOptions(
            self.address, self.spool, self.access, poll_s=0.05, **chosen  # type: ignore[arg-type]
        )  # fmt: skip

    def connect(self) -> object:
        return self.make(self.address, self.access)

    @contextmanager
    def folder(self, *, start: bool = True, **chosen: object) -> Iterator[RemoteFolder]:
        connect: Connect = self.connect  # type: ignore[assignment]
        with RemoteFolder(self.options(**chosen), SystemClock(), connect) as folder:
            if start:
                folder.start(self.store.ask)
            yield folder

    def names(self, under: str = "") -> list[str]:
        place = self.path / under
        return sorted(p.name for p in place.iterdir() if p.is_file()) if place.exists() else []


@pytest.fixture(params=KINDS)
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Remote]:
    """The same folder behind each kind of server."""
    kind: str = request.param
    if kind != "sftp" and sys.platform != "linux":
        pytest.skip("a second loopback address, for the proxy of the data connections")
    path, spool = tmp_path / "incoming", tmp_path / "spool"
    path.mkdir()
    if kind == "sftp":
        server: Sshd = request.getfixturevalue("sftp_server")
        with Cutter(("127.0.0.1", server.port)) as proxy:
            access = Access(key=server.key, known_hosts=server.known_as(proxy.port), timeout_s=20.0)
            address = server.address(path, proxy.port)
            yield Remote(path, spool, address, access, proxy, SftpServer)
        return
    with ftp(kind, path, request) as (address, access, proxy):
        make = OldFtp if kind == "ftp-old" else FtpConnection
        yield Remote(path, spool, address, access, proxy, make)


@contextmanager
def ftp(
    kind: str, path: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[Address, Access, Cutter]]:
    """An FTP server on 127.0.0.1, and proxies for control and data on 127.0.0.2."""
    secret = path.parent / "password"
    secret.write_text(f"{PASSWORD}\n")
    passive = free_port()
    access, scheme, attributes = Access(password_file=secret, timeout_s=20.0), "ftp", {}
    if kind == "ftps":
        certificate: Path = request.getfixturevalue("certificate")
        scheme = "ftps"
        access = Access(password_file=secret, ca=certificate, timeout_s=20.0)
        attributes = {"certificate": certificate}
    with (
        FtpServer(path, PASSWORD, passive_ports=[passive], **attributes) as server,  # type: ignore[arg-type]
        Cutter(("127.0.0.1", server.port), "127.0.0.2", server.port),
        Cutter(("127.0.0.1", passive), "127.0.0.2", passive) as data,
    ):
        yield Address(scheme, "127.0.0.2", server.port, USER, "/"), access, data


def fetched(folder: RemoteFolder, count: int = 1) -> list[FileStat]:
    """Wait until so many copies are complete."""
    while len(folder.scan()) < count:
        folder.wait(1.0)
    return folder.scan()


def content_of(folder: RemoteFolder, stat: FileStat) -> bytes:
    buffer = bytearray(stat.size)
    with folder.open(stat, "none") as opened:
        assert stat.size == opened.source.read_into(memoryview(buffer), 0)
    return bytes(buffer)


def side_file(content: bytes, **other: object) -> bytes:
    digest = ChunkDigest()
    digest.update(content)
    fields = {"size": len(content), "digest": digest.hexdigest(), "algorithm": ALGORITHM}
    return json.dumps({**fields, **other}).encode()
