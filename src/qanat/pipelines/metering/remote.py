"""Files of `metering` on a server: the settings, and what joins a remote folder to the store."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, cast

import msgspec

from qanat.clock import Clock
from qanat.errors import Busy
from qanat.interfaces import Store
from qanat.records import FileStat
from qanat.runtime.registry import FileState, files_named
from qanat.settings import CommonSettings, Duration, Size
from qanat.sources.remote import (
    Access,
    Address,
    Known,
    RemoteFolder,
    RemoteOptions,
)
from qanat.sources.remote_server import RemoteServer
from qanat.wiring import load

# Names in one question to the store.
_NAMES_MAX = 256
_MODULES = {
    "sftp": "qanat.sources.remote_sftp:SftpServer",
    "ftp": "qanat.sources.remote_ftp:FtpServer",
    "ftps": "qanat.sources.remote_ftp:FtpServer",
}


class RemoteAccess(CommonSettings, frozen=True, kw_only=True):
    """How a server is reached; whoever reads files from there has these settings."""

    remote_user: Annotated[
        str,
        msgspec.Meta(
            description="Who logs in at an `--input` on a server; else the URL, ~/.netrc or the system says."
        ),
    ] = ""
    remote_password_file: Annotated[
        Path | None,
        msgspec.Meta(
            description="A file whose first line is the password, or the passphrase of the key."
        ),
    ] = None
    remote_key: Annotated[
        Path | None,
        msgspec.Meta(
            description="The private key for SFTP, instead of the SSH agent's and those in ~/.ssh."
        ),
    ] = None
    remote_known_hosts: Annotated[
        Path | None,
        msgspec.Meta(
            description="Where the keys of SFTP servers are, instead of ~/.ssh/known_hosts."
        ),
    ] = None
    remote_host_key: Annotated[
        str,
        msgspec.Meta(
            description="The fingerprint of the SFTP server's key, `SHA256:…`, instead of known_hosts."
        ),
    ] = ""
    remote_ca: Annotated[
        Path | None,
        msgspec.Meta(
            description="The certificates that FTPS trusts, as PEM, instead of the system's."
        ),
    ] = None
    remote_timeout: Annotated[
        Duration, msgspec.Meta(description="How long a server may be silent.")
    ] = Duration(30.0)
    remote_spool: Annotated[
        Size,
        msgspec.Meta(description="While more is fetched and not counted, nothing more is fetched."),
    ] = Size(16 << 30)


def access_of(settings: RemoteAccess) -> Access:
    """Return what the settings say about the server."""
    return Access(
        user=settings.remote_user,
        password_file=settings.remote_password_file,
        key=settings.remote_key,
        known_hosts=settings.remote_known_hosts,
        host_key=settings.remote_host_key,
        ca=settings.remote_ca,
        timeout_s=float(settings.remote_timeout),
    )


def remote_folder(options: RemoteOptions, clock: Clock) -> RemoteFolder:
    """Make a remote folder of whichever protocol its address names. Nothing connects.

    Raises:
        ConfigError: An option makes no sense.
        MissingExtra: The driver isn't installed.
    """
    server = cast(
        "Callable[[Address, Access], RemoteServer]", load(_MODULES[options.address.scheme])
    )
    return RemoteFolder(options, clock, partial(server, options.address, options.access))


@contextmanager
def fetching(folder: RemoteFolder, store: Store, stage: str, owner: str) -> Iterator[None]:
    """Fetch from `folder` what `store` doesn't know, until the end of the context.

    Raises:
        Busy: Another instance on this store fetches from there.
        ConfigError: The server isn't the one we know, refuses us, or has no such folder.
    """
    location = folder.options.address.url
    if not store.claim(stage, [location], owner):
        raise Busy(
            f"another instance fetches from {location} into this store already.",
            hint="One at a time does; it goes on where that one ends.",
        )
    try:
        folder.start(partial(known_files, store))
        yield
    finally:
        folder.close()
        store.release(stage, [location], owner)


def known_files(store: Store, stats: Sequence[FileStat]) -> Mapping[FileStat, Known]:
    """Say what the store knows of these files."""
    found: dict[FileStat, Known] = {}
    for start in range(0, len(stats), _NAMES_MAX):
        asked = stats[start : start + _NAMES_MAX]
        with store.snapshot() as reader:
            rows = files_named(reader, (stat.name for stat in asked))
        for row in rows:
            away = row.settled and row.settled_as != row.name
            gone = away and row.state in {FileState.COUNTED, FileState.FAILED}
            found[row.stat] = Known(open=row.state == FileState.REGISTERED, gone=gone)
    return {stat: found[stat] for stat in stats if stat in found}
