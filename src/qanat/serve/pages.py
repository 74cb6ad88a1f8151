"""The dashboard: static pages of our own, and the charts' JavaScript out of vl-convert.

Everything comes from this server, and the pages' policy forbids the browser to ask another one. They hold no data, so they
need no token: the API that they ask does.
"""

import threading
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool

_PACKAGE = "qanat.serve"
_FOLDER = "dashboard"
_INDEX = "index.html"
_CHARTS = "vega.js"
# The version of Vega-Lite that also draws `--png`, see qanat.reports.png.
_VEGA_LITE = "6.4"
# Said once as ES6: vl-convert replaces the names by what it bundles.
_SNIPPET = "window.vegaEmbed = vegaEmbed;"
_TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HEADERS: Mapping[str, str] = {
    # No 'unsafe-eval': Vega's expressions are interpreted. No inline style or script anywhere.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# The address of a static file names its content, so it never has to be asked for again.
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
_GENERATING = threading.Lock()


def dashboard_router() -> APIRouter:
    """Make the router of the pages: `/`, `/pipelines/NAME` and `/static/DIGEST/FILE`.

    Its routes aren't the API's: no token, no place in the description.
    """
    router = APIRouter()
    for path in ("/", "/pipelines/{pipeline}"):
        router.add_route(path, _page, methods=["GET", "HEAD"], include_in_schema=False)
    router.add_route(
        "/static/{digest}/{name}", _static, methods=["GET", "HEAD"], include_in_schema=False
    )
    return router


async def _page(request: Request) -> Response:
    content = _texts()[_INDEX].replace(b"DIGEST", _digest().encode())
    return _answer(request, _INDEX, content, _ASK_AGAIN)


async def _static(request: Request) -> Response:
    name, current = request.path_params["name"], request.path_params["digest"] == _digest()
    if name == _CHARTS:
        content = await run_in_threadpool(_charts)
    elif name in _texts() and name != _INDEX:
        content = _texts()[name]
    else:
        return Response("there is no such file", 404, _HEADERS, "text/plain; charset=utf-8")
    return _answer(request, name, content, _FOR_EVER if current else _ASK_AGAIN)


def _answer(request: Request, name: str, content: bytes, caching: str) -> Response:
    tag = f'"{sha256(content).hexdigest()[:32]}"'
    headers = {**_HEADERS, "Cache-Control": caching, "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(None, 304, headers)
    return Response(content, 200, headers, _TYPES[name[name.rindex(".") :]])


@cache
def _texts() -> Mapping[str, bytes]:
    """Every file of the dashboard by its name."""
    folder = files(_PACKAGE).joinpath(_FOLDER)
    return {
        each.name: each.read_bytes()
        for each in folder.iterdir()
        if each.name.endswith(tuple(_TYPES))
    }


@cache
def _digest() -> str:
    """What stands for the content of all static files in their addresses."""
    summed = sha256(version("vl-convert-python").encode())
    for name, content in sorted(_texts().items()):
        summed.update(name.encode() + b"\0" + content + b"\0")
    return summed.hexdigest()[:16]


def _charts() -> bytes:
    """Vega, Vega-Lite and Vega-Embed as one script; about 0.9 MB, made in 1.4 s when it is first asked for."""
    with _GENERATING:  # two who ask at once wait for one
        return _bundle()


@cache
def _bundle() -> bytes:
    import vl_convert

    bundle: str = vl_convert.javascript_bundle(_SNIPPET, vl_version=_VEGA_LITE)
    return bundle.encode()
