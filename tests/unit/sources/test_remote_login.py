"""Who is let in, who is trusted, and that no secret is told."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from qanat.errors import ConfigError
from qanat.prove.ftp_server import USER, FtpServer
from qanat.sources.remote import Access, Address, address_of, is_remote
from qanat.sources.remote_ftp import FtpServer as FtpConnection
from qanat.sources.remote_login import login_of
from qanat.sources.remote_server import CannotResume, Unreachable
from qanat.sources.remote_sftp import SftpServer
from tests.remote_services import Sshd, free_port, generate_key

PASSWORD = "secret word"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without keys and notes."""
    path = tmp_path / "home"
    path.mkdir()
    monkeypatch.setenv("HOME", str(path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.delenv("NETRC", raising=False)
    return path


@pytest.fixture
def agent(tmp_path: Path, sftp_server: Sshd, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An SSH agent that holds the user's key."""
    sock = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(sock)], stdout=subprocess.DEVNULL) as run:
        try:
            while not sock.exists():
                assert run.poll() is None
            monkeypatch.setenv("SSH_AUTH_SOCK", str(sock))
            subprocess.run(["ssh-add", "-q", str(sftp_server.key)], check=True)
            yield
        finally:
            run.terminate()


def entries(server: Sshd, access: Access, folder: Path) -> list[str]:
    """Connect, and list the folder."""
    connection = SftpServer(server.address(folder), access)
    try:
        return [entry.name for entry in connection.entries()]
    finally:
        connection.close()


def test_an_unknown_host_key_is_refused(sftp_server: Sshd, tmp_path: Path) -> None:
    """Nothing is learnt by itself; the message tells the fingerprint and the ways to name it."""
    for access in (
        Access(key=sftp_server.key),
        Access(key=sftp_server.key, known_hosts=sftp_server.known_as(free_port())),
        Access(key=sftp_server.key, host_key="SHA256:" + "A" * 43),
    ):
        with pytest.raises(ConfigError) as refused:
            entries(sftp_server, access, tmp_path)
        assert sftp_server.host_key in str(refused.value)
        assert "--remote-host-key" in refused.value.hint
        assert f"ssh-keyscan -p {sftp_server.port}" in refused.value.hint


def test_a_changed_host_key_is_refused(sftp_server: Sshd, tmp_path: Path) -> None:
    """Another key than the one that is known may be somebody in between."""
    generate_key(tmp_path / "other")
    kind, key, *_ = (tmp_path / "other.pub").read_text().split()
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{sftp_server.port} {kind} {key}\n")
    with pytest.raises(ConfigError, match="another key") as refused:
        entries(sftp_server, Access(key=sftp_server.key, known_hosts=known), tmp_path)
    assert sftp_server.host_key in str(refused.value)
    with pytest.raises(ConfigError, match="known_hosts"):
        entries(sftp_server, Access(known_hosts=tmp_path / "nothing"), tmp_path)


def test_a_named_host_key_is_enough(sftp_server: Sshd, tmp_path: Path) -> None:
    """The fingerprint as ssh-keygen prints it; known_hosts isn't asked then."""
    access = Access(key=sftp_server.key, host_key=sftp_server.host_key)
    assert [] == entries(sftp_server, access, tmp_path)


def test_the_users_own_known_hosts(sftp_server: Sshd, tmp_path: Path, home: Path) -> None:
    """Without a setting ~/.ssh counts, for the server's key and for ours."""
    (home / ".ssh").mkdir(mode=0o700)
    shutil.copy(sftp_server.known_hosts, home / ".ssh" / "known_hosts")
    shutil.copy(sftp_server.key, home / ".ssh" / "id_ed25519")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("1 1\n")
    assert ["a"] == entries(sftp_server, Access(), tmp_path / "in")


@pytest.mark.usefixtures("agent")
def test_an_agent(sftp_server: Sshd, tmp_path: Path) -> None:
    """The key stays in the agent."""
    assert "home" in os.listdir(tmp_path)  # noqa: PTH208 - what the listing is to agree with
    access = Access(known_hosts=sftp_server.known_hosts)
    assert [] == entries(sftp_server, access, tmp_path / "home")


def test_a_key_with_a_passphrase(
    sftp_server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes the way of a password."""
    key = tmp_path / "key"
    shutil.copy(sftp_server.key, key)
    change = ["ssh-keygen", "-q", "-p", "-P", "", "-N", PASSWORD, "-f", str(key)]
    subprocess.run(change, check=True, stdout=subprocess.DEVNULL)
    access = Access(key=key, known_hosts=sftp_server.known_hosts)
    monkeypatch.setenv("QANAT_REMOTE_PASSWORD", PASSWORD)
    assert [] == entries(sftp_server, access, tmp_path / "home")
    monkeypatch.setenv("QANAT_REMOTE_PASSWORD", f"not the {PASSWORD}")
    with pytest.raises(ConfigError) as refused:
        entries(sftp_server, access, tmp_path / "home")
    assert PASSWORD not in str(refused.value)


def test_who_is_not_let_in(
    sftp_server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No key, a wrong one, a password: told what was tried, without it."""
    generate_key(tmp_path / "other")
    known = sftp_server.known_hosts
    with pytest.raises(ConfigError, match="agent"):
        entries(sftp_server, Access(known_hosts=known), tmp_path)
    with pytest.raises(ConfigError, match="the key"):
        entries(sftp_server, Access(key=tmp_path / "other", known_hosts=known), tmp_path)
    with pytest.raises(ConfigError, match="a private key"):
        entries(sftp_server, Access(key=tmp_path / "nothing", known_hosts=known), tmp_path)
    monkeypatch.setenv("QANAT_REMOTE_PASSWORD", PASSWORD)
    with pytest.raises(ConfigError, match="a password") as refused:
        entries(sftp_server, Access(known_hosts=known), tmp_path)
    assert PASSWORD not in str(refused.value)


def test_no_such_folder(sftp_server: Sshd, tmp_path: Path) -> None:
    """Told at once; a server that doesn't answer is another matter."""
    with pytest.raises(ConfigError, match="a folder"):
        entries(sftp_server, sftp_server.access(), tmp_path / "nothing")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="a folder"):
        entries(sftp_server, sftp_server.access(), tmp_path / "file")
    with pytest.raises(Unreachable):
        SftpServer(sftp_server.address(tmp_path, free_port()), sftp_server.access())
    with pytest.raises(Unreachable):
        FtpConnection(Address("ftp", "127.0.0.1", free_port(), "", "/"), Access())


def test_the_login_folder(sftp_server: Sshd) -> None:
    """`~` is where the server puts us."""
    address = address_of(f"sftp://{sftp_server.user}@127.0.0.1:{sftp_server.port}/~")
    connection = SftpServer(address, sftp_server.access())
    assert all("/" not in entry.name for entry in connection.entries())
    connection.close()


def test_a_certificate_is_checked(certificate: Path, tmp_path: Path) -> None:
    """Not one of the system's: refused, until it is named. It has to be for that host."""
    secret = tmp_path / "password"
    secret.write_text(PASSWORD)
    with FtpServer(tmp_path / "home", PASSWORD, certificate=certificate) as server:
        address = Address("ftps", "127.0.0.1", server.port, USER, "/")
        with pytest.raises(ConfigError, match="--remote-ca"):
            FtpConnection(address, Access(password_file=secret))
        trusting = Access(password_file=secret, ca=certificate)
        connection = FtpConnection(address, trusting)
        assert [] == connection.entries()
        connection.close()
        named = Address("ftps", "localhost", server.port, USER, "/")
        with pytest.raises(ConfigError, match="localhost"):
            FtpConnection(named, trusting)
        with pytest.raises(ConfigError, match="a file of certificates"):
            FtpConnection(address, Access(password_file=secret, ca=tmp_path / "nothing"))
        with pytest.raises(ConfigError, match="lets 'qanat' in"):  # it demands TLS first
            FtpConnection(Address("ftp", "127.0.0.1", server.port, USER, "/"), trusting)


def test_ftp_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong password, a server without TLS, one without the folder."""
    monkeypatch.setenv("QANAT_REMOTE_PASSWORD", f"not the {PASSWORD}")
    with FtpServer(tmp_path / "home", PASSWORD) as server:
        address = Address("ftp", "127.0.0.1", server.port, USER, "/")
        with pytest.raises(ConfigError) as refused:
            FtpConnection(address, Access())
        assert PASSWORD not in str(refused.value)
        monkeypatch.setenv("QANAT_REMOTE_PASSWORD", PASSWORD)
        with pytest.raises(ConfigError, match="AUTH TLS"):
            FtpConnection(Address("ftps", "127.0.0.1", server.port, USER, "/"), Access())
        with pytest.raises(ConfigError, match="a folder"):
            FtpConnection(Address("ftp", "127.0.0.1", server.port, USER, "/none"), Access())


def test_a_server_that_cannot_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told apart, so that the file is fetched from its start."""
    from pyftpdlib.handlers import FTPHandler

    monkeypatch.setenv("QANAT_REMOTE_PASSWORD", PASSWORD)
    (tmp_path / "home" / "a").write_text("1 1\n2 2\n")
    commands = {name: what for name, what in FTPHandler.proto_cmds.items() if name != "REST"}
    with FtpServer(tmp_path / "home", PASSWORD, proto_cmds=commands) as server:
        connection = FtpConnection(Address("ftp", "127.0.0.1", server.port, USER, "/"), Access())
        with pytest.raises(CannotResume):
            list(connection.read("a", 4, 8))
        assert b"1 1\n2 2\n" == b"".join(connection.read("a", 0, 8))
        connection.close()


def test_where_a_password_comes_from(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment before the file, the file before ~/.netrc; that only for its own user."""
    address = address_of("ftp://me@host/in")
    assert ("me", None) == found(address, Access())
    (home / ".netrc").write_text("machine host login me password noted\n")
    (home / ".netrc").chmod(0o600)
    assert ("me", "noted") == found(address, Access())
    assert ("me", "noted") == found(address_of("ftp://host/in"), Access())
    assert ("you", None) == found(address, Access(user="you"))
    secret = tmp_path / "password"
    secret.write_text("filed\nmore\n")
    assert ("me", "filed") == found(address, Access(password_file=secret))
    monkeypatch.setenv("QANAT_REMOTE_PASSWORD", "set")
    assert ("me", "set") == found(address, Access(password_file=secret))
    assert "set" not in repr(login_of(address, Access()))
    monkeypatch.delenv("QANAT_REMOTE_PASSWORD")
    with pytest.raises(ConfigError, match="--remote-password-file"):
        login_of(address, Access(password_file=tmp_path / "nothing"))
    (home / ".netrc").write_text("machine host login me passwort verraten\n")
    with pytest.raises(ConfigError) as refused:
        login_of(address, Access())
    assert "verraten" not in str(refused.value)


def found(address: Address, access: Access) -> tuple[str, str | None]:
    login = login_of(address, access)
    return login.user, login.password


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sftp://me@host/in", Address("sftp", "host", 22, "me", "/in")),
        ("sftp://host:2222/~/in%20here/", Address("sftp", "host", 2222, "", "~/in here")),
        ("ftp://[::1]/~", Address("ftp", "::1", 21, "", "~")),
        ("ftps://a%40b@host", Address("ftps", "host", 21, "a@b", "/")),
    ],
)
def test_addresses(text: str, expected: Address) -> None:
    """A URL says where, as whom and in which folder; written again it says the same."""
    assert is_remote(text)
    assert expected == address_of(text)
    assert expected == address_of(expected.url)


@pytest.mark.parametrize(
    "text", ["sftp://me:secret@host/in", "sftp:///in", "ftp://host:x/in", "ftp://host/in?a=secret"]
)
def test_addresses_that_are_none(text: str) -> None:
    """Refused without showing what may be a secret."""
    with pytest.raises(ConfigError) as refused:
        address_of(text)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("text", ["incoming", "/in", "C:\\in", "s3://bucket", "sftp:here"])
def test_local_ones(text: str) -> None:
    """Everything else is a local folder."""
    assert not is_remote(text)
