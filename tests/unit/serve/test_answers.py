"""How answers travel: who has one gets it not again, large ones are compressed, browsers are told what to do with them."""

import gzip

import pytest
from starlette.testclient import TestClient

from qanat.interfaces import Store
from tests.unit.serve.sample import PAGES, page, write

PATHS = ("tables/pages", "lookups/titles", "reports/by-wiki", "reports/by-wiki/chart", "stages")


@pytest.mark.parametrize("path", PATHS)
def test_not_again(asked: TestClient, sample: Store, path: str) -> None:
    """Who has the answer is told so; after a change it comes anew."""
    write(sample, PAGES, [page(1)])
    url = f"/api/sample/{path}"
    tag = asked.get(url).headers["etag"]
    for known in (tag, f'"other", {tag}', "*"):
        again = asked.get(url, headers={"If-None-Match": known})
        assert (304, b"", tag) == (again.status_code, again.content, again.headers["etag"])
    if path == "stages":  # of which nothing changed
        return
    write(sample, PAGES, [page(2)])
    after = asked.get(url, headers={"If-None-Match": tag})
    assert 200 == after.status_code
    assert tag != after.headers["etag"]


def test_compressed(asked: TestClient, sample: Store) -> None:
    """A large answer is compressed for who can read that; its ETag is another one, and good for both."""
    write(sample, PAGES, [page(number) for number in range(100)])
    url = "/api/sample/tables/pages"
    plain = asked.get(url, headers={"Accept-Encoding": "identity"})
    with asked.stream("GET", url, headers={"Accept-Encoding": "gzip"}) as answer:
        squeezed = b"".join(answer.iter_raw())
    assert plain.content == gzip.decompress(squeezed)
    assert len(squeezed) < len(plain.content) / 4
    tags = plain.headers["etag"], answer.headers["etag"]
    assert tags[0] != tags[1]
    for tag in tags:
        for encoding in ("identity", "gzip"):
            headers = {"If-None-Match": tag, "Accept-Encoding": encoding}
            assert 304 == asked.get(url, headers=headers).status_code
    assert "Accept-Encoding" in plain.headers["vary"]


@pytest.mark.parametrize(
    "path", ["/api", "/health", "/docs", "/openapi.json", "/nothing", "/api/sample/tables/pages?x"]
)
def test_safe(asked: TestClient, path: str) -> None:
    """Whatever the answer, a browser runs nothing of it, frames it nowhere, and loads nothing from elsewhere."""
    headers = asked.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy
    assert "nosniff" == headers["x-content-type-options"]


def test_kept_for_how_long(asked: TestClient) -> None:
    """Look-ups hold for moments; what tells how things are isn't kept at all."""
    assert "max-age=2" == asked.get("/api/sample/lookups/titles").headers["cache-control"]
    for path in ("/health", "/metrics", "/api/sample/dead-letters"):
        assert "no-store" == asked.get(path).headers["cache-control"]


def test_description_for_people(asked: TestClient) -> None:
    """The page of the description names every endpoint and loads nothing."""
    text = asked.get("/docs").text
    described = asked.get("/openapi.json").json()
    assert [] == [path for path in described["paths"] if f" {path}</summary>" not in text]
    assert "src=" not in text
    assert "//" not in text.replace("<!doctype html>", "")


def test_described(asked: TestClient) -> None:
    """Every endpoint has a summary; every column its type, example, and meaning."""
    described = asked.get("/openapi.json").json()
    operations = [each for path in described["paths"].values() for each in path.values()]
    assert [] == [each["operationId"] for each in operations if not each.get("summary")]
    title = described["components"]["schemas"]["SamplePagesRow"]["properties"]["title"]
    assert ("as it is shown", ["text"]) == (title["description"], title["examples"])
    huge = described["components"]["schemas"]["SampleByWikiReportRow"]["properties"]["ids"]
    assert "string" == huge["type"]
