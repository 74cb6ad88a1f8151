"""Letting writers announce files to a run of `metering`."""

from contextlib import AbstractContextManager

from qanat.errors import ConfigError
from qanat.pipelines.metering.assembly import Assembled
from qanat.pipelines.metering.settings import RunSettings
from qanat.runtime.announce import Announcements
from qanat.runtime.announce_address import AnnounceAddress
from qanat.runtime.announce_server import AnnounceServer
from qanat.runtime.discover import Registrar


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
    return AnnounceAddress(settings.announce, settings.announce_group)


def announcing(
    address: AnnounceAddress, parts: Assembled
) -> AbstractContextManager[AnnounceServer]:
    """Listen for announcements of files of the run's folder."""
    committer = parts.run.committer()
    registrar = Registrar(parts.folder, committer, parts.run.transform.prepare)
    return AnnounceServer(address, Announcements(parts.folder, registrar), committer.clock)
