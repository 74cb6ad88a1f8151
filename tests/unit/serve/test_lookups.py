"""Look-ups over HTTP."""

import pytest
from starlette.testclient import TestClient

from qanat.interfaces import Store
from tests.unit.serve.sample import PAGES, page, write


def test_page_by_page(asked: TestClient, sample: Store) -> None:
    """The pages together are the answer, in its order; the last one says that it is."""
    write(sample, PAGES, [page(number) for number in range(7)] + [page(9, "en")])
    found: list[int] = []
    offset: int | None = 0
    while offset is not None:
        told = asked.get(f"/api/sample/lookups/titles?limit=3&offset={offset}").json()
        found += [row["id"] for row in told["rows"]]
        offset = told["next_offset"]
    assert list(range(7)) == found


def test_parameters(asked: TestClient, sample: Store) -> None:
    """What is set is bound, and the defaults hold for the rest."""
    write(sample, PAGES, [page(1), page(2), page(3, "en", title=None)])
    path = "/api/sample/lookups/titles"
    assert [2] == [row["id"] for row in asked.get(f"{path}?from_id=2").json()["rows"]]
    assert [{"id": 3, "title": None}] == asked.get(f"{path}?wiki=en").json()["rows"]
    assert [] == asked.get(f"{path}?wiki=' or 1=1 --").json()["rows"]


@pytest.mark.parametrize(
    "query", ["from_id=-1", "from_id=x", "offset=1000001", "wikis=de", "wiki=a%00", "limit=0"]
)
def test_wrong(asked: TestClient, query: str) -> None:
    """What can't be asked is refused."""
    assert 422 == asked.get(f"/api/sample/lookups/titles?{query}").status_code


def test_listed(asked: TestClient) -> None:
    """The look-ups are listed with what can be set of each."""
    (told,) = asked.get("/api/sample/lookups").json()["lookups"]
    assert ("titles", ["id", "title"]) == (told["name"], told["columns"])
    assert ["wiki", "from_id"] == [each["name"] for each in told["parameters"]]
