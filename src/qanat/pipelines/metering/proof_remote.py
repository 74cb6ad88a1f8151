"""The proof's files on a server: an FTP server of our own, which breaks off downloads."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, cast

from qanat.pipelines.metering.proof_tally import Tally
from qanat.wiring import load

if TYPE_CHECKING:
    from collections.abc import Callable

    MakeServer = Callable[[Path, str], "Server"]

# It is on loopback, for as long as a scenario lasts.
_PASSWORD: Final = "as good as any"  # noqa: S105
_POLL: Final = "100ms"


class Server(Protocol):
    """What is used of `qanat.prove.ftp_server.FtpServer`."""

    port: int
    cuts: int

    def start(self) -> None:
        """Begin to serve."""
        ...

    def cut(self, downloads: int) -> None:
        """Break off that many of the next downloads."""
        ...

    def close(self) -> None:
        """End it."""
        ...


def missing() -> str:
    """Say why no FTP server can be started here; empty when one can."""
    names = [name for name in ("pyftpdlib", "fsspec") if find_spec(name) is None]
    if not names:
        return ""
    return f"{' and '.join(names)} missing: pip install 'qanat[prove,remote]'"


class LocalGround(Protocol):
    """What is used of `proof.MeteringGround`."""

    folder: Path

    def deliver(self, items: int) -> None:
        """Rename further files into the folder."""
        ...

    def repeat(self) -> int:
        """Put counted files back."""
        ...

    def replace(self) -> None:
        """Rename another file over the one that came last."""
        ...

    def arguments(self, *, item_s: float, watching: bool) -> Sequence[str]:
        """Return the arguments of a run on the folder."""
        ...

    def prepare(self) -> None:
        """Get ready for a run."""
        ...

    def tally(self) -> Tally:
        """Compare store and folder with what was handed over."""
        ...


class RemoteGround:
    """The same files and the same store as another ground's, but the folder is read through a server."""

    def __init__(self, local: LocalGround, place: Path) -> None:
        make = cast("MakeServer", load("qanat.prove.ftp_server:FtpServer"))
        self._local = local
        self._password = place / "password"
        self._password.write_text(_PASSWORD)
        self._server = make(local.folder, _PASSWORD)
        self._server.start()

    def deliver(self, items: int) -> None:
        """Rename further files into the folder that the server serves."""
        self._local.deliver(items)

    def repeat(self) -> int:
        """Put counted files back."""
        return self._local.repeat()

    def replace(self) -> None:
        """Rename another file over the one that came last."""
        self._local.replace()

    def arguments(self, *, item_s: float, watching: bool) -> Sequence[str]:
        """Read the same in the same way, from the server."""
        given = list(self._local.arguments(item_s=item_s, watching=watching))
        given[given.index("--input") + 1] = f"ftp://qanat@127.0.0.1:{self._server.port}/"
        return [*given, "--remote-password-file", str(self._password), "--poll", _POLL]

    def prepare(self) -> None:
        """Nothing to prepare."""
        self._local.prepare()

    def announce(self) -> int:
        """Files on a server can't be announced."""
        raise ValueError(f"the workload of {type(self).__name__} has no announcements")

    @property
    def disturbed(self) -> int:
        """How many downloads broke off."""
        return self._server.cuts

    def disturb(self, times: int) -> None:
        """Break off the next downloads, with the connection."""
        self._server.cut(times)

    def close(self) -> None:
        """End the server."""
        self._server.close()

    def tally(self) -> Tally:
        """Compare store and folder with what was handed over."""
        return self._local.tally()
