"""Cutting PostgreSQL's protocol into messages, and telling COMMIT from everything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qanat.prove.proxy_messages import STARTUP, Messages, is_commit, is_committed, writes_to


def message(kind: bytes, body: bytes) -> bytes:
    """Make a message as the protocol has it: a type, the length of the rest with itself, the body."""
    return kind + (len(body) + 4).to_bytes(4, "big") + body


def query(text: str) -> bytes:
    """Make a simple query."""
    return message(b"Q", text.encode() + b"\0")


def parse(text: str, name: bytes = b"") -> bytes:
    """Make a statement that is to be parsed, without parameters."""
    return message(b"P", name + b"\0" + text.encode() + b"\0\0\0")


@given(st.lists(st.tuples(st.sampled_from(b"QPdCZ"), st.binary(max_size=50))), st.data())
def test_messages_come_whole(sent: list[tuple[int, bytes]], data: st.DataObject) -> None:
    """However the bytes arrive, each message comes once, whole, in order."""
    expected = [(bytes([kind]), message(bytes([kind]), body)) for kind, body in sent]
    stream = b"".join(whole for _, whole in expected)
    messages = Messages(startup=False)
    found: list[tuple[bytes, bytes]] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += messages.feed(stream[:size])
        stream = stream[size:]
    assert expected == found


def test_startup_has_no_type() -> None:
    """A client's first message is told by its place, the second by its type."""
    startup = (12).to_bytes(4, "big") + b"\0\3\0\0user"
    found = list(Messages(startup=True).feed(startup + query("commit")))
    assert [(STARTUP, startup), (b"Q", query("commit"))] == found


@pytest.mark.parametrize("text", ["commit", "COMMIT", " Commit ; ", "end", "commit work"])
def test_commit(text: str) -> None:
    """COMMIT is known in each of its forms, and in both protocols."""
    assert is_commit(b"Q", query(text))
    assert is_commit(b"P", parse(text, b"name"))


@pytest.mark.parametrize("text", ["", "rollback", "commit prepared 'x'", "select 'commit'"])
def test_no_commit(text: str) -> None:
    """Nothing else is taken for it; not even its text in another message, as in rows that are copied."""
    assert not is_commit(b"Q", query(text))
    assert not is_commit(b"d", message(b"d", b"commit\0"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('insert into "totals" values (1)', True),
        ("update totals set amount = 1", True),
        ('COPY "totals" (consumer) from stdin', True),
        ("delete from usage", True),
        ("select * from totals", False),
        ("insert into subtotals values (1)", False),
        ("insert into qanat_ledger values ('totals_of_1')", False),
    ],
)
def test_writes(text: str, expected: bool) -> None:
    """A statement of work is one that writes to a named table."""
    assert expected == writes_to(b"P", parse(text), {"totals", "usage"})


@pytest.mark.parametrize(
    ("tag", "expected"), [(b"COMMIT", True), (b"ROLLBACK", False), (b"INSERT 0 1", False)]
)
def test_committed(tag: bytes, expected: bool) -> None:
    """The server says COMMIT when it did, and ROLLBACK when the transaction had failed."""
    assert expected == is_committed(b"C", message(b"C", tag + b"\0"))
    assert not is_committed(b"Z", message(b"Z", tag))
