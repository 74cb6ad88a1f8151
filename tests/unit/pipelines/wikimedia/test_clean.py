"""Each trap of the stream, in the stage `clean`."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeAlias

import pyarrow as pa
import pytest

from qanat.pipelines.wikimedia import clean as cleaning
from qanat.pipelines.wikimedia.clean import clean
from qanat.pipelines.wikimedia.expected import Received, judged
from qanat.pipelines.wikimedia.generator import Options
from qanat.pipelines.wikimedia.topics import PROCESSED
from qanat.tables import arrow_schema
from tests.unit.pipelines.wikimedia import storing

Json: TypeAlias = object
NOW = datetime(2025, 9, 6, 4, tzinfo=UTC)
NO_MEMBER = object()

EVENT: Mapping[str, Json] = {
    "$schema": "/mediawiki/revision/create/2.0.0",
    "meta": {
        "uri": "https://commons.wikimedia.org/wiki/File:A_map.jpg",
        "id": "b6a5fea2-91be-48db-b78c-6abbb72bdab4",
        "domain": "commons.wikimedia.org",
        "stream": "mediawiki.page-create",
        "dt": "2025-09-06T03:28:53.322Z",
    },
    "database": "commonswiki",
    "page_id": 174482800,
    "page_title": "File:A_map.jpg",
    "page_namespace": 6,
    "rev_id": 1081516708,
    "rev_timestamp": "2025-09-06T03:28:51Z",
    "performer": {
        "user_text": "DPLA bot",
        "user_groups": ["bot"],
        "user_is_bot": True,
        "user_id": 8609812,
    },
    "page_is_redirect": False,
    "comment": "new",
}

CHANGE: Mapping[str, Json] = {
    "$schema": "/mediawiki/page/change/1.2.0",
    "changelog_kind": "insert",
    "page_change_kind": "create",
    "meta": EVENT["meta"],
    "wiki_id": "commonswiki",
    "page": {
        "page_id": 174482800,
        "page_title": "File:A_map.jpg",
        "namespace_id": 6,
        "is_redirect": False,
    },
    "performer": {
        "user_text": "DPLA bot",
        "is_bot": True,
        "is_temp": False,
        "user_id": 8609812,
        "groups": ["bot"],
    },
    "revision": {"rev_id": 1081516708, "rev_dt": "2025-09-06T03:28:51Z", "rev_size": 3},
    "dt": "2025-09-06T03:28:51Z",
}

ROW = {
    "created_at": datetime(2025, 9, 6, 3, 28, 53, 322_000, tzinfo=UTC),
    "event_id": "b6a5fea2-91be-48db-b78c-6abbb72bdab4",
    "received_at": NOW,
    "wiki": "commonswiki",
    "domain": "commons.wikimedia.org",
    "page_id": 174482800,
    "page_title": "File:A_map.jpg",
    "namespace": 6,
    "is_redirect": False,
    "rev_id": 1081516708,
    "revised_at": datetime(2025, 9, 6, 3, 28, 51, tzinfo=UTC),
    "user_id": 8609812,
    "user_name": "DPLA bot",
    "is_bot": True,
    "who": "#8609812",
}


def changed(path: str, value: Json, event: Mapping[str, Json] = EVENT) -> bytes:
    """An event in which one member is another, or isn't there."""
    whole = json.loads(json.dumps(event))
    *parents, name = path.split(".")
    inner = whole
    for parent in parents:
        inner = inner[parent]
    if value is NO_MEMBER:
        del inner[name]
    else:
        inner[name] = value
    return json.dumps(whole, ensure_ascii=False).encode("utf-8", "surrogatepass")


def cleaned(
    *data: bytes, kind: str = "message"
) -> tuple[list[dict[str, Json]], list[tuple[int, str, bytes]]]:
    """The rows that go on, and those rejected."""
    made = clean(storing.rows_of([Received(kind, each, NOW) for each in data]), NOW)
    assert made.rows.schema == arrow_schema(PROCESSED.shape)
    rejected = made.rejected.to_pylist() if made.rejected is not None else []
    return made.rows.to_pylist(), [(each["row"], each["reason"], each["raw"]) for each in rejected]


def one(data: bytes) -> dict[str, Json]:
    """The row of an event that is good."""
    rows, rejected = cleaned(data)
    assert [] == rejected
    (row,) = rows
    return row


def refused(data: bytes) -> str:
    """Why an event can't be used; between good ones it doesn't harm them."""
    good = json.dumps(EVENT).encode()
    rows, rejected = cleaned(good, data, good)
    assert [ROW, ROW] == rows
    ((place, reason, raw),) = rejected
    assert (1, data) == (place, raw)
    return reason


def test_an_event() -> None:
    assert one(json.dumps(EVENT).encode()) == ROW


def test_the_newer_stream() -> None:
    """Creations among the page changes are understood as well."""
    assert one(json.dumps(CHANGE).encode()) == ROW
    hidden = one(changed("performer", NO_MEMBER, CHANGE))
    assert (hidden["who"], hidden["is_bot"]) == (None, False)
    assert "Object missing required field page_id at page" == refused(
        changed("page.page_id", NO_MEMBER, CHANGE)
    )


def test_nothing() -> None:
    assert cleaned() == ([], [])


@pytest.mark.parametrize(
    "data",
    [
        changed("meta.domain", "canary"),
        changed("meta.domain", "canary", CHANGE),
        b'{"meta": {"domain": "canary"}}',
        changed("database", "examplewiki"),
        changed("wiki_id", "examplewiki", CHANGE),
        *(
            changed("page_change_kind", kind, CHANGE)
            for kind in ("edit", "move", "delete", "undelete")
        ),
    ],
)
def test_left_out(data: bytes) -> None:
    """Signs of life, examples and other changes are neither rows nor dead letters."""
    assert cleaned(data) == ([], [])


def test_types() -> None:
    """What isn't a message isn't an event; the server's own errors are kept as dead letters."""
    good = json.dumps(EVENT).encode()
    assert cleaned(good, b"anything", kind="ping") == ([], [])
    assert cleaned(b"Kafka is gone", kind="error") == (
        [],
        [(0, cleaning.AN_ERROR, b"Kafka is gone")],
    )


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("2025-09-06T03:28:53.322Z", datetime(2025, 9, 6, 3, 28, 53, 322_000, tzinfo=UTC)),
        ("2025-09-06T03:28:02Z", datetime(2025, 9, 6, 3, 28, 2, tzinfo=UTC)),
        ("2025-09-06T03:28:02+00:00", datetime(2025, 9, 6, 3, 28, 2, tzinfo=UTC)),
        ("2025-09-06T05:58:02.5+02:30", datetime(2025, 9, 6, 3, 28, 2, 500_000, tzinfo=UTC)),
        ("2024-02-29T23:59:59.999999Z", datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC)),
    ],
)
def test_times(written: str, time: datetime) -> None:
    """With and without a fraction, side by side in one batch."""
    rows, _ = cleaned(changed("meta.dt", written), json.dumps(EVENT).encode())
    assert [time, ROW["created_at"]] == [row["created_at"] for row in rows]
    assert time == one(changed("rev_timestamp", written))["revised_at"]


@pytest.mark.parametrize(
    "written",
    ["", "yesterday", "2025-02-29T00:00:00Z", "2025-09-06T03:28:02", "2025-09-06T24:00:01Z", "2025-09-06",
     "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "1757129333322"],
)  # fmt: skip
def test_no_times(written: str) -> None:
    assert cleaning.NO_TIME == refused(changed("meta.dt", written))
    assert cleaning.NO_REVISION_TIME == refused(changed("rev_timestamp", written))


def test_many_wrong_times() -> None:
    """Each wrong time is found among others, wherever it stands."""
    wrong = changed("meta.dt", "2025-02-30T00:00:00Z")
    good = json.dumps(EVENT).encode()
    data = [wrong if number % 7 in (0, 3) else good for number in range(100)]
    rows, rejected = cleaned(*data)
    assert [number for number, each in enumerate(data) if each is wrong] == [r[0] for r in rejected]
    assert len(rows) == len(data) - len(rejected)


def test_imports() -> None:
    """A revision may be of another decade; the event's own time counts."""
    row = one(changed("rev_timestamp", "2003-02-01T00:00:00Z"))
    assert (row["revised_at"], row["created_at"]) == (
        datetime(2003, 2, 1, tzinfo=UTC),
        ROW["created_at"],
    )
    assert one(changed("rev_timestamp", NO_MEMBER))["revised_at"] is None


@pytest.mark.parametrize(
    ("performer", "number", "name", "who"),
    [
        ({"user_text": "191.126.129.224", "user_is_bot": False}, None, "191.126.129.224", "191.126.129.224"),
        ({"user_text": "191.126.129.224", "user_id": 0}, None, "191.126.129.224", "191.126.129.224"),
        ({"user_text": "~2025-12345-67", "user_id": 77, "user_is_bot": False}, 77, "~2025-12345-67", "#77"),
        ({"user_text": "~2025-12345-67"}, None, "~2025-12345-67", "~2025-12345-67"),
        ({"user_id": 12}, 12, None, "#12"),
        ({"user_text": ""}, None, None, None),
        ({}, None, None, None),
        (None, None, None, None),
        (NO_MEMBER, None, None, None),
    ],
)  # fmt: skip
def test_users(performer: Json, number: int | None, name: str | None, who: str | None) -> None:
    """Anonymous and temporary users have names; whoever is hidden still counts for the domain."""
    row = one(changed("performer", performer))
    assert (number, name, who, False) == (
        row["user_id"],
        row["user_name"],
        row["who"],
        row["is_bot"],
    )


@pytest.mark.parametrize("path", ["meta", "meta.id", "meta.domain", "meta.dt", "database", "page_id", "page_title",
                                  "page_namespace", "page_is_redirect", "rev_id"])  # fmt: skip
def test_missing(path: str) -> None:
    """The reason names what is missing."""
    reason = refused(changed(path, NO_MEMBER))
    assert f"missing required field {path.rpartition('.')[2]}" in reason


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("page_id", 2**63), ("page_id", 10**30), ("page_id", -1), ("page_id", "17"), ("page_id", 1.5), ("page_id", None),
        ("page_id", True), ("rev_id", 2**63), ("page_namespace", 2**63), ("page_namespace", -(2**63) - 1),
        ("performer.user_id", 2**63), ("performer.user_id", "7"), ("page_title", ""), ("page_title", 7),
        ("page_is_redirect", "no"), ("database", ""), ("meta.id", ""), ("meta.domain", ""), ("meta.dt", 1757129333),
        ("performer", "somebody"), ("rev_timestamp", 17),
    ],
)  # fmt: skip
def test_wrong(path: str, value: Json) -> None:
    """The reason names what is wrong."""
    assert path in refused(changed(path, value))


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"<html>", b"\xef\xbb\xbf{}", b"{}{}", changed("page_title", "a")[:-9], b"\xff" + json.dumps(EVENT).encode(),
     changed("page_title", "\ud800"), json.dumps(EVENT).replace("A_map", "\\ud800").encode(),
     b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"],
)  # fmt: skip
def test_not_json(data: bytes) -> None:
    assert refused(data).startswith("not JSON")


@pytest.mark.parametrize("data", [b"[]", b"null", b"17", b'"text"'])
def test_no_object(data: bytes) -> None:
    assert "Expected object" in refused(data)


@pytest.mark.parametrize("path", ["page_title", "database", "meta.id", "performer.user_text"])
def test_nul(path: str) -> None:
    """A character that PostgreSQL can't keep stops no batch."""
    assert cleaning.NUL == refused(changed(path, "a\0b"))


def test_integers_to_the_last_bit() -> None:
    assert 2**63 - 1 == one(changed("page_id", 2**63 - 1))["page_id"]
    assert -(2**63) == one(changed("page_namespace", -(2**63)))["namespace"]


def test_texts_stay_as_they_are() -> None:
    title = 'Обговорення:"¿Qué?"_\\_𝄞_& <b>'
    assert title == one(changed("page_title", title))["page_title"]


@pytest.mark.parametrize("batch", [1, 7, 10_000])
def test_batches(batch: int) -> None:
    """How events are cut into batches decides nothing; all of it equals the computation in plain Python."""
    events = storing.stream(
        Options(count=600, seed=3, bad=0.3, canaries=0.2, hidden=0.2, repeats=0)
    )
    rows: list[dict[str, Json]] = []
    rejected: list[bytes] = []
    for first in range(0, len(events), batch):
        made = clean(storing.rows_of(events[first : first + batch]), NOW)
        rows += made.rows.to_pylist()
        rejected += made.rejected.column("raw").to_pylist() if made.rejected is not None else []
    expected = judged(events)
    assert [creation._asdict() for creation in expected.creations] == rows
    assert expected.rejected == rejected
    assert len(rejected) > 100


def test_other_columns_are_no_matter() -> None:
    """The log adds where a record stands."""
    rows = storing.rows_of([Received("message", json.dumps(EVENT).encode(), NOW)])
    rows = rows.append_column("_partition", pa.array(["0"]))
    assert [ROW] == clean(rows, NOW).rows.to_pylist()


def test_too_late_in_the_computation() -> None:
    """What comes late isn't late in a recording that is all old; nor by one record that is far ahead."""

    def at(day: str, number: int) -> Received:
        event = json.loads(changed("meta.dt", f"{day}T00:00:00Z"))
        event["meta"]["id"] = str(number)
        return Received("message", json.dumps(event).encode(), NOW)

    old = [at("2020-01-01", 1), at("2020-02-01", 2)]
    assert 2 == len(judged(old).creations)
    assert 1 == len(judged([*old, at("2090-01-01", 3), at("2020-01-02", 4)]).creations) - 3
    late = judged([*old, at("2025-09-06", 5), at("2020-02-02", 6)])
    assert (3, 1) == (len(late.creations), len(late.too_late))
