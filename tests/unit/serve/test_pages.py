"""The pages' files: who may have them, for how long, and what they may do."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from qanat.clock import SystemClock
from qanat.pipelines.metering import PIPELINE
from qanat.serve.app import create_app
from qanat.serve.served import Served
from qanat.session import open_session
from qanat.settings import CommonSettings

TOKEN = "a-long-random-token"
FOLDER = Path(__file__).parents[3] / "src" / "qanat" / "serve" / "dashboard"
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.js"))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """A service with a token, over a store in which nothing was counted."""
    settings = CommonSettings(store=f"memory:{tmp_path}", data_dir=tmp_path)
    with open_session(PIPELINE, settings, SystemClock()) as session:
        yield TestClient(create_app([Served(PIPELINE, session)], token=TOKEN))


@pytest.mark.parametrize("path", ["/", "/pipelines/metering", "/pipelines/none"])
def test_pages_need_no_token(client: TestClient, path: str) -> None:
    """A browser can't send a token for a page, which holds no data; and asks each time whether it changed."""
    page = client.get(path)
    assert (200, "no-cache") == (page.status_code, page.headers["cache-control"])
    assert "text/html; charset=utf-8" == page.headers["content-type"]
    again = client.get(path, headers={"If-None-Match": page.headers["etag"]})
    assert (304, b"") == (again.status_code, again.content)
    assert client.get("/").headers["etag"] == client.head("/").headers["etag"]


def test_policy(client: TestClient) -> None:
    """Nothing from elsewhere, nothing inline, nothing evaluated: not for the page, not for its files."""
    for path in ("/", *statics(client)):
        policy = client.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*\ssrc=)|\sstyle=|\son\w+=", client.get("/").text)


def test_files_hold_for_ever(client: TestClient) -> None:
    """The address of a file names its content: the current one is kept, an older page's is asked for again."""
    for path in statics(client):
        found = client.get(path)
        assert (200, "public, max-age=31536000, immutable") == (
            found.status_code, found.headers["cache-control"],
        )  # fmt: skip
        assert "no-cache" == client.get(older(path)).headers["cache-control"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts(client: TestClient, name: str) -> None:
    """Each module imports only its neighbours, and reads no text as HTML or code."""
    place = next(iter(statics(client))).rpartition("/")[0]
    answer = client.get(f"{place}/{name}")
    assert "text/javascript; charset=utf-8" == answer.headers["content-type"]
    imported = re.findall(r'from "([^"]+)"', answer.text)
    assert {f"./{neighbour}" for neighbour in SCRIPTS} >= set(imported)
    for forbidden in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
    ):
        assert forbidden not in answer.text
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", answer.text)


def test_charts(client: TestClient) -> None:
    """The charts' library comes out of the dependency, whole."""
    place = next(iter(statics(client))).rpartition("/")[0]
    script = client.get(f"{place}/vega.js")
    assert "text/javascript; charset=utf-8" == script.headers["content-type"]
    assert "window.vegaEmbed" in script.text
    assert 304 == client.get(
        f"{place}/vega.js", headers={"If-None-Match": script.headers["etag"]}
    ).status_code  # fmt: skip


@pytest.mark.parametrize("name", ["index.html", "none.js", "..%2fpages.py", "__init__.py"])
def test_nothing_else(client: TestClient, name: str) -> None:
    """Only the dashboard's own files are there."""
    assert 404 == client.get(f"/static/x/{name}").status_code


def statics(client: TestClient) -> list[str]:
    return re.findall(r'"(/static/[^"]+)"', client.get("/").text)


def older(path: str) -> str:
    return re.sub(r"/static/\w+/", "/static/0123456789abcdef/", path)
