"""`qanat dead-letters`: each rejected record with its place, reason and bytes."""

import pytest

from tests.unit.cli.conftest import Run

OPEN = {
    "id": "count:1:0",
    "file": "a.txt",
    "line": 1,
    "offset": 0,
    "reason": "malformed",
    "length": 5,
    "raw": "7 x\\xff\x1b",
    "raw_base64": "NyB4/xs=",
    "state": "open",
    "rejected_at": "2026-03-17T10:20:30.123456Z",
}
DROPPED = OPEN | {
    "id": "count:1:20",
    "line": 3,
    "offset": 20,
    "length": 0,
    "raw": "",
    "raw_base64": "",
    "state": "dropped",
}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], [OPEN]),
        (["--state", "open"], [OPEN]),
        (["--state", "dropped"], [DROPPED]),
        (["--state", "all"], [OPEN, DROPPED]),
        (["--state", "all", "--limit", "1"], [OPEN]),
        (["--limit", "0"], []),
        (["--file", "a.txt"], [OPEN]),
        (["--file", "b.txt"], []),
    ],
)
def test_json_tells_everything(
    run: Run, filled: list[str], options: list[str], expected: list[object]
) -> None:
    """Every field, bytes that aren't text escaped and exact beside; by default the open ones."""
    ended = run("dead-letters", "metering", "--json", *options, *filled)
    assert (ended.code, ended.err) == (0, "")
    assert expected == ended.json()


def test_a_table_for_people(run: Run, filled: list[str]) -> None:
    """What tells a record apart, in a line; nothing in it reaches the terminal as a command."""
    ended = run("dead-letters", "metering", *filled)
    header, _, line = ended.out.splitlines()
    assert header.split() == ["id", "file", "line", "offset", "reason", "length", "raw", "state"]
    assert line.split() == [
        "count:1:0",
        "a.txt",
        "1",
        "0",
        "malformed",
        "5",
        "7",
        "x\\xff\\x1b",
        "open",
    ]


def test_csv_tells_everything(run: Run, filled: list[str]) -> None:
    """The same fields as in JSON."""
    ended = run("dead-letters", "metering", "--csv", *filled)
    assert ended.out.splitlines()[0] == ",".join(OPEN)
