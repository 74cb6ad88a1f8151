"""Servers for remote folders, all on loopback: OpenSSH's own, and FTP with and without TLS."""

import datetime
import ipaddress
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from qanat.sources.remote import Access, Address

_SSHD_PATH = f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin"
# Where root's sshd locks its helpers in; the system's service makes it at boot.
_PRIVILEGE_FOLDER = Path("/run/sshd")
_CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxStartups 100
LogLevel ERROR
Subsystem sftp internal-sftp
"""


@dataclass(frozen=True, slots=True)
class Sshd:
    """A running OpenSSH server.

    Attributes:
        folder: With its keys, and `known_hosts` for whoever connects to its port.
        key: The private key that it lets in.
        host_key: The fingerprint of its own.
    """

    port: int
    folder: Path
    user: str
    host_key: str

    @property
    def key(self) -> Path:
        return self.folder / "user_key"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def access(self) -> Access:
        """How to get in."""
        return Access(key=self.key, known_hosts=self.known_hosts, timeout_s=20.0)

    def address(self, path: Path, port: int = 0) -> Address:
        """The address of a folder."""
        return Address("sftp", "127.0.0.1", port or self.port, self.user, str(path))

    def known_as(self, port: int) -> Path:
        """A known_hosts file for the same server behind another port."""
        path = self.folder / f"known_hosts_{port}"
        kind, key, *_ = (self.folder / "host_key.pub").read_text().split()
        path.write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
        return path


@pytest.fixture(scope="session")
def sftp_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """An OpenSSH server in a folder of its own."""
    program = shutil.which("sshd", path=_SSHD_PATH)
    if program is None or sys.platform == "win32":
        if os.environ.get("QANAT_REQUIRE_SERVICES", "") not in {"", "0"}:
            pytest.fail("no sshd: install openssh-server")
        pytest.skip("no sshd: install openssh-server")
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host_key", "user_key"):
        generate_key(folder / name)
    shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
    if os.geteuid() == 0:
        _PRIVILEGE_FOLDER.mkdir(mode=0o755, exist_ok=True)
    port = free_port()
    (folder / "config").write_text(_CONFIG.format(port=port, folder=folder))
    command = [program, "-D", "-e", "-f", str(folder / "config")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _wait_for(port, process, folder / "log")
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout
        server = Sshd(port, folder, user.strip(), _fingerprint(folder / "host_key.pub"))
        shutil.copy(server.known_as(port), server.known_hosts)
        yield server
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that vouches for 127.0.0.1 and 127.0.0.2, with its key, as one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "qanat test")])
    now = datetime.datetime.now(datetime.UTC)
    addresses = [x509.IPAddress(ipaddress.ip_address(f"127.0.0.{number}")) for number in (1, 2)]
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "server.pem"
    path.write_bytes(
        built.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def generate_key(path: Path, passphrase: str = "") -> None:
    """Make a pair of keys."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(path)]
    subprocess.run(command, check=True)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _fingerprint(path: Path) -> str:
    command = ["ssh-keygen", "-l", "-f", str(path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return told.split()[1]


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until it answers, or has ended."""
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"sshd ended: {log.read_text()}")
