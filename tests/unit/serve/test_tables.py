"""Tables over HTTP: complete page by page, filtered, typed."""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from qanat.interfaces import Store
from qanat.serve.app import create_app
from qanat.serve.served import Served
from qanat.session import held
from qanat.tables import Replace
from qanat.testing import FakeClock
from tests.unit.serve.sample import (
    KINDS,
    NOW,
    PAGES,
    SAMPLE,
    kind,
    page,
    sample_store,
    write,
)

KEYS = st.tuples(
    st.sampled_from(["", "a", "b", "é", "'\" \\"]),
    st.sampled_from([0, 1, 2]),
    st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1]),
)


def read_all(client: TestClient, path: str, **query: object) -> list[dict[str, object]]:
    """Read a table page by page."""
    rows: list[dict[str, object]] = []
    following: dict[str, object] = {}
    while True:
        answer = client.get(f"/api/sample/tables/{path}?{urlencode({**query, **following})}")
        assert 200 == answer.status_code, answer.text
        told = answer.json()
        assert len(told["rows"]) <= told["limit"]
        rows += told["rows"]
        for name in ("cursor", "offset"):
            if told.get(f"next_{name}") is not None:
                following = {name: told[f"next_{name}"]}
                break
        else:
            return rows


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, TestClient]]:
    """A store for many examples, and the service on it."""
    clock = FakeClock(NOW)
    with sample_store(tmp_path_factory.mktemp("lasting"), clock) as store:
        app = create_app([Served(SAMPLE, held(store))], clock=clock)
        with TestClient(app) as client:
            yield store, client


@given(st.sets(KEYS, max_size=25), st.integers(1, 7))
@settings(max_examples=40)
def test_pages_together_are_the_table(
    lasting: tuple[Store, TestClient], keys: set[tuple[str, int, int]], limit: int
) -> None:
    """Whatever the keys and the size of a page: page by page comes each row, once, in order of the key."""
    store, client = lasting
    rows = [page(minute, wiki, id=number) for wiki, minute, number in keys]
    write(store, PAGES, rows, Replace())
    read = read_all(client, "pages", limit=limit)
    expected = sorted((row["wiki"], row["moment"].isoformat()[:16], row["id"]) for row in rows)  # type: ignore[attr-defined]
    assert expected == [(row["wiki"], str(row["moment"])[:16], row["id"]) for row in read]


def test_writing_meanwhile(asked: TestClient, sample: Store) -> None:
    """A row that comes between two pages shifts nothing: no row comes twice, none is left out."""
    write(sample, PAGES, [page(number) for number in range(10, 20)])
    first = asked.get("/api/sample/tables/pages?limit=5").json()
    write(sample, PAGES, [page(30), page(1)])
    second = asked.get(f"/api/sample/tables/pages?limit=100&cursor={first['next_cursor']}").json()
    # In order of time: 19 to 15, then 14 to 10, and what is newer still.
    assert [19, 18, 17, 16, 15] == [row["id"] for row in first["rows"]]
    assert [14, 13, 12, 11, 10, 1] == [row["id"] for row in second["rows"]]


def test_every_type(asked: TestClient, sample: Store) -> None:
    """Each type arrives as it is described; what JSON can't tell is null. A table without a key goes by offset."""
    write(sample, KINDS, [kind(number) for number in range(5)])
    rows = read_all(asked, "kinds", limit=2)
    assert {
        "limit": 2,
        "huge": "10000000000000000000000000000000000002",
        "share": 0.5,
        "raw": "AP8=",
        "is_it": True,
        "at": "2026-11-22T12:30:00Z",
        "text": "ü\n\"'",
    } == rows[2]
    assert [0, 1, 2, 3, 4] == [row["limit"] for row in rows]
    assert {None} == {value for name, value in rows[0].items() if name != "limit"}
    assert rows[1]["share"] is None


@pytest.mark.parametrize(
    ("expected", "table", "query"),
    [
        ([2], "pages", {"id": 2}),
        ([1, 2, 3], "pages", {"wiki": "de"}),
        ([2], "pages", {"wiki": "de", "moment": "2026-11-22T13:28:00+01:00"}),
        ([], "pages", {"wiki": "'; drop table pages; --"}),
        ([3], "pages", {"title": "page 3"}),
        ([1], "kinds", {"limit_": 1}),
    ],
)  # fmt: skip
def test_filters(
    asked: TestClient,
    sample: Store,
    expected: list[int],
    table: str,
    query: dict[str, object],
) -> None:
    """Rows are picked by equality on the columns of keys and indexes."""
    write(sample, PAGES, [page(1), page(2), page(3)])
    write(sample, KINDS, [kind(1)])
    rows = read_all(asked, table, limit=2, **query)
    assert expected == sorted(row.get("id", row.get("limit")) for row in rows)  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("status", "query"),
    [
        (422, "limit=0"),
        (422, "limit=1001"),
        (422, "limits=1"),
        (422, "id=9223372036854775808"),
        (422, "is_bot=true"),  # in no key and no index
        (422, "moment=0001-01-01T00:00:00%2B14:00"),
        (422, "title=a%00b"),
        (400, "cursor=x"),
        (400, "cursor=W10"),
        (400, "cursor=WyJkZSIsIDEsIDJd"),
        (400, "cursor=%F0%9F%92%A5"),
    ],
)
def test_wrong(asked: TestClient, status: int, query: str) -> None:
    """What can't be asked is refused, a made-up cursor among it."""
    assert status == asked.get(f"/api/sample/tables/pages?{query}").status_code


def test_listed(asked: TestClient) -> None:
    """The tables are listed with what they can be asked by."""
    pages, kinds, *_ = asked.get("/api/sample/tables").json()["tables"]
    assert (["wiki", "moment", "id"], "cursor") == (pages["key"], pages["pages"])
    assert ["wiki", "moment", "id", "title"] == pages["filters"]
    assert (["limit_"], "offset") == (kinds["filters"], kinds["pages"])
    assert 404 == asked.get("/api/sample/tables/nothing").status_code
    assert 404 == asked.get("/api/other/tables").status_code
