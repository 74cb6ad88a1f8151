"""Where a service listens: on loopback, or elsewhere with a token."""

import ipaddress
from dataclasses import dataclass
from typing import Annotated

import msgspec

from qanat.errors import ConfigError

TOKEN_LENGTH_MIN = 16

Host = Annotated[
    str,
    msgspec.Meta(description="Where to listen; elsewhere than on loopback a token is needed."),
]
Port = Annotated[int, msgspec.Meta(description="The port; 0 for any free one.", ge=0, le=65535)]
Token = Annotated[
    str, msgspec.Meta(description="What clients must send as `Authorization: Bearer …`.")
]
"""Settings of whatever listens."""


@dataclass(frozen=True, slots=True)
class Listening:
    """An address to listen on, checked when it is made.

    Attributes:
        token: What clients have to send as `Authorization: Bearer …`; empty for none.

    Raises:
        ConfigError: Others could reach the address, and there is no token, or a short one.
    """

    host: str
    port: int
    token: str = ""

    def __post_init__(self) -> None:
        """Check that nobody else is let in by accident."""
        if self.token and len(self.token) < TOKEN_LENGTH_MIN:
            raise ConfigError("--token", "…", f"at least {TOKEN_LENGTH_MIN} characters long")
        if not self.token and not _is_loopback(self.host):
            raise ConfigError(
                "--host",
                self.host,
                "a loopback address such as 127.0.0.1, as long as there is no --token",
                hint="Set QANAT_TOKEN to a long random text; clients send it as `Authorization: Bearer …`.",
            )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
