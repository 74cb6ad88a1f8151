"""Letting writers announce files to a run of `metering`."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, cast

from qanat.errors import ConfigError
from qanat.pipelines.metering.assembly import Assembled
from qanat.pipelines.metering.settings import RunSettings
from qanat.runtime.announce import Announcements
from qanat.runtime.announce_address import AnnounceAddress
from qanat.runtime.announce_server import AnnounceServer
from qanat.runtime.discover import Registrar
from qanat.sources.remote import is_remote

if TYPE_CHECKING:
    from qanat.sources.files import Folder


def address_of(settings: RunSettings) -> AnnounceAddress | None:
    """Return where a run is to listen; None when it isn't asked to.

    Raises:
        ConfigError: It can't listen there.
    """
    if settings.announce is None:
        if settings.announce_group:
            raise ConfigError(
                "--announce-group", settings.announce_group, "left out as long as there is no --announce"
            )  # fmt: skip
        return None
    if is_remote(settings.input):
        raise ConfigError(
            "--announce", str(settings.announce), "left out for a folder on a server",
            hint="Announce where the file lies: start `qanat run` there, or let it look more often (--poll).",
        )  # fmt: skip
    return AnnounceAddress(settings.announce, settings.announce_group)


def announcing(
    address: AnnounceAddress, parts: Assembled
) -> AbstractContextManager[AnnounceServer]:
    """Listen for announcements of files of the run's folder."""
    committer = parts.run.committer()
    folder = cast("Folder", parts.folder)  # `address_of` has refused one on a server
    registrar = Registrar(folder, committer, parts.run.transform.prepare)
    return AnnounceServer(address, Announcements(folder, registrar), committer.clock)
