"""What travels between processes arrives as it was."""

import socket
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qanat import errors
from qanat.errors import ConfigError, Fatal, QanatError, Refused, Retryable
from qanat.interfaces import Scalar
from qanat.runtime import owner_wire as wire
from qanat.runtime.owner_wire import Disconnected, Kind

ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])
SCALARS: st.SearchStrategy[Scalar] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(10**38), max_value=10**38),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.datetimes(timezones=ZONES),
)


@given(st.dictionaries(st.text(), SCALARS))
def test_parameters_arrive_exactly(parameters: dict[str, Scalar]) -> None:
    """Numbers beyond 64 bits, moments with their microseconds and any bytes are the same values
    after the way.
    """
    content = wire.pack({"parameters": wire.packed_parameters(parameters)})
    arrived = wire.unpack(content)["parameters"]
    assert isinstance(arrived, dict)
    unpacked = wire.unpacked_parameters(arrived)
    assert parameters == unpacked
    assert {k: type(v) for k, v in parameters.items()} == {k: type(v) for k, v in unpacked.items()}


def test_a_moment_without_zone_is_refused() -> None:
    """A naive moment would mean another one in another process."""
    with pytest.raises(ConfigError, match="time zone"):
        wire.packed_parameters({"since": datetime(2026, 3, 17)})  # noqa: DTZ001 - that is the point


ERRORS = [
    QanatError("plain", hint="do this"),
    ConfigError("--store", 7, "a URL", hint="such as duckdb:"),
    Refused(["one", "two"]),
    Retryable("later", after_s=1.5),
    Fatal(),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_arrives_as_its_class(error: QanatError) -> None:
    """Class, message, hint and exit code are the same, so that the command ends as it would have
    there.
    """
    arrived = wire.unpacked_error(wire.unpack(wire.pack(wire.packed_error(error))))
    assert type(error) is type(arrived)
    assert (error.message, error.hint) == (arrived.message, arrived.hint)
    assert error.exit_code == arrived.exit_code
    assert str(error) == str(arrived)


def test_an_errors_plain_attributes_arrive() -> None:
    """What a caller asks an error for is there, as far as it is plain."""
    arrived = wire.unpacked_error(wire.packed_error(Retryable("later", after_s=1.5)))
    assert isinstance(arrived, Retryable)
    assert arrived.after_s == 1.5


def test_every_class_of_errors_can_travel() -> None:
    """No class of `qanat.errors` gets lost on the way, whatever its constructor takes."""
    classes = [
        c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, QanatError)
    ]
    for kind in classes:
        arrived = wire.unpacked_error({"class": kind.__name__, "message": "m", "hint": "h"})
        assert type(arrived) is kind


def test_an_unknown_class_becomes_its_nearest_known_one() -> None:
    """An error that a pipeline made arrives as the class of `qanat.errors` that it is a kind of."""

    class Own(Fatal):
        """Own."""

    arrived = wire.unpacked_error(wire.packed_error(Own("mine")))
    assert type(arrived) is Fatal
    assert type(wire.unpacked_error({"class": "OfTheFuture", "message": "m"})) is QanatError


@pytest.mark.parametrize(
    "sent",
    [b"", b"Q", b"X\0\0\0\0", b"Q\0\0\0\5ab", b"Q\xff\xff\xff\xff"],
    ids=["nothing", "half a header", "unknown kind", "half a frame", "too large"],
)
def test_what_is_no_frame_is_noticed(sent: bytes) -> None:
    """A stranger, a torn connection or a huge length end the conversation, and nothing else."""
    near, far = socket.socketpair()
    with near, far:
        far.sendall(sent)
        far.shutdown(socket.SHUT_WR)
        with pytest.raises(Disconnected):
            wire.receive(near, 1000)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff"])
def test_what_is_no_object_is_noticed(content: bytes) -> None:
    """A frame that should be a JSON object and isn't ends the conversation."""
    with pytest.raises(Disconnected):
        wire.unpack(content)


def test_frames_follow_each_other() -> None:
    """Frames keep their order, kind and content, empty ones too."""
    near, far = socket.socketpair()
    with near, far:
        frames = [(Kind.DATA, b"abc"), (Kind.DATA, b""), (Kind.END, b"")]
        for kind, content in frames:
            wire.send(far, kind, content)
        assert frames == [wire.receive(near, 10) for _ in frames]
