"""What travels between the process that holds a store and the others: frames, requests, errors.

A conversation is one connection: the owner greets, the client sends one request, the owner answers
and hangs up. Every frame is a kind (one byte), a length (four bytes, big-endian) and so many bytes:

| kind | sent by | content |
| --- | --- | --- |
| `H` | owner | JSON: which owner this is, so that a stranger on a reused address is told apart |
| `Q` | client | JSON: the request |
| `D` | owner | a piece of an Arrow IPC stream |
| `J` | owner | JSON: what an operation returned; the last frame |
| `E` | owner | JSON: an error, at any time, midway too; the last frame |
| `Z` | owner | the result is complete; the last frame |

JSON carries whole numbers of any size. Moments and bytes, which it lacks, are objects with one key,
which no parameter is.
"""

import base64
import json
import socket
import struct
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from typing import TypeAlias, cast

from qanat import errors
from qanat.errors import ConfigError, QanatError
from qanat.interfaces import Scalar

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

Operation: TypeAlias = Callable[..., dict[str, Json]]
"""What a pipeline can be asked to do: takes the store first, then keyword arguments that JSON can
carry.
"""

# A statement with long lists of values is some 100 kB; more than this is a mistake, or an attack on
# the owner's memory.
REQUEST_BYTES_MAX = 1 << 20
# Small enough that a client which reads at all takes one in time (SEND_TIMEOUT_S of the owner),
# large enough to cost nothing.
PIECE_BYTES_MAX = 256 << 10
# What a client takes as one frame of JSON: results of operations are short, an error may quote a
# request.
ANSWER_BYTES_MAX = 16 << 20

_HEADER = struct.Struct(">cI")
_MOMENT = "$moment"
_BYTES = "$bytes"


class Disconnected(Exception):
    """The other side is gone, too slow, or doesn't speak this protocol."""


class Kind(Enum):
    """The kinds of frames."""

    HELLO = b"H"
    REQUEST = b"Q"
    DATA = b"D"
    JSON = b"J"
    ERROR = b"E"
    END = b"Z"


def send(connection: socket.socket, kind: Kind, content: bytes | memoryview = b"") -> None:
    """Send one frame.

    Raises:
        Disconnected: It couldn't be sent, or not within the socket's timeout.
    """
    try:
        connection.sendall(_HEADER.pack(kind.value, len(content)))
        if content:
            connection.sendall(content)
    except OSError as error:
        raise Disconnected(str(error)) from error


def receive(connection: socket.socket, bytes_max: int) -> tuple[Kind, bytes]:
    """Receive one frame of at most `bytes_max` bytes.

    Raises:
        Disconnected: It didn't come, or is no frame of that size.
    """
    kind, size = _HEADER.unpack(_exactly(connection, _HEADER.size))
    try:
        known = Kind(kind)
    except ValueError as error:
        raise Disconnected(f"{kind!r} is no kind of frame") from error
    if size > bytes_max:
        raise Disconnected(f"a frame of {size} bytes, where {bytes_max} are allowed")
    return known, _exactly(connection, size)


def pack(value: Mapping[str, Json]) -> bytes:
    """Write a JSON object."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def unpack(content: bytes) -> dict[str, Json]:
    """Read a JSON object.

    Raises:
        Disconnected: It is none.
    """
    try:
        value = json.loads(content)
    except ValueError as error:
        raise Disconnected("a frame that should be JSON isn't") from error
    if not isinstance(value, dict):
        raise Disconnected("a frame that should be a JSON object isn't")
    return value


def packed_parameters(parameters: Mapping[str, Scalar] | None) -> dict[str, Json]:
    """Turn bound parameters into JSON, exactly.

    Raises:
        ConfigError: A moment has no time zone: it would mean another one elsewhere.
    """
    return {name: _packed(name, value) for name, value in (parameters or {}).items()}


def unpacked_parameters(values: Mapping[str, Json]) -> dict[str, Scalar]:
    """Turn what `packed_parameters` made back."""
    return {name: _unpacked(value) for name, value in values.items()}


def packed_error(error: QanatError) -> dict[str, Json]:
    """Describe an error: its class (the nearest one of `qanat.errors`), message, hint and plain
    attributes.
    """
    kind = next(cls for cls in type(error).__mro__ if vars(errors).get(cls.__name__) is cls)
    plain = {
        name: value if isinstance(value, bool | int | float | str | None) else repr(value)
        for name, value in vars(error).items()
        if name not in {"message", "hint"} and not name.startswith("_")
    }
    return {"class": kind.__name__, "message": error.message, "hint": error.hint, "plain": plain}


def unpacked_error(described: Mapping[str, Json]) -> QanatError:
    """Make the error that `packed_error` described, of the same class and so with the same exit
    code.
    """
    kind = vars(errors).get(str(described.get("class")))
    if not (isinstance(kind, type) and issubclass(kind, QanatError)):
        kind = QanatError  # of a newer Qanat
    error = kind.__new__(kind)
    QanatError.__init__(
        error, str(described.get("message", "")), hint=str(described.get("hint", ""))
    )
    plain = described.get("plain")
    for name, value in (plain if isinstance(plain, dict) else {}).items():
        setattr(error, name, value)
    return error


def _exactly(connection: socket.socket, size: int) -> bytes:
    received = bytearray()
    try:
        while len(received) < size:
            piece = connection.recv(min(size - len(received), PIECE_BYTES_MAX))
            if not piece:
                raise Disconnected("the connection ended")
            received += piece
    except OSError as error:
        raise Disconnected(str(error)) from error
    return bytes(received)


def _packed(name: str, value: Scalar) -> Json:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ConfigError(f"the parameter {name}", str(value), "a moment with its time zone")
        return {_MOMENT: value.isoformat()}
    if isinstance(value, bytes):
        return {_BYTES: base64.b64encode(value).decode("ascii")}
    return value


def _unpacked(value: Json) -> Scalar:
    if isinstance(value, dict):
        if _MOMENT in value:
            return datetime.fromisoformat(str(value[_MOMENT]))
        return base64.b64decode(str(value[_BYTES]))
    return cast("Scalar", value)
