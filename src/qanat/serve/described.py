"""`/docs`: what the service offers, as a page for people, made from its own description. It loads nothing, from nowhere."""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; overflow-wrap: anywhere; }
section { border-top: 1px solid GrayText; padding: .25rem 0 1rem; }
code, summary { font-family: ui-monospace, monospace; }
summary { cursor: pointer; padding: .25rem 0; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { border: 1px solid GrayText; padding: .25rem .5rem; text-align: left; vertical-align: top; }
""".strip()
_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'sha256-"
    f"{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
)


def description_router(app: FastAPI) -> APIRouter:
    """Make the router of the page."""
    router = APIRouter(include_in_schema=False)
    written = cache(lambda: page(app.openapi()))

    @router.get("/docs")
    def docs() -> HTMLResponse:
        """The page."""
        return HTMLResponse(written(), headers={"Content-Security-Policy": _POLICY})

    return router


def page(described: Mapping[str, Any]) -> str:
    """Return the page of an OpenAPI description."""
    info = described["info"]
    groups: dict[str, list[str]] = {}
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            group = groups.setdefault(operation["tags"][0], [])
            group.append("".join(_operation(method, path, operation)))
    parts = "".join(
        f"<section><h2>{escape(name)}</h2>{''.join(listed)}</section>"
        for name, listed in groups.items()
    )
    schemas = "".join(
        _schema(name, schema) for name, schema in described["components"]["schemas"].items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{escape(info['title'])}</h1><p>{escape(info.get('summary', ''))}</p>"
        '<p>For programs: <a href="/openapi.json">/openapi.json</a>.</p>'
        f"{parts}<section><h2>Shapes</h2>{schemas}</section></main></body></html>"
    )


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    told = operation.get("summary", "")
    yield f"<details><summary>{method.upper()} {escape(path)}</summary><p><b>{escape(told)}.</b> "
    yield f"{escape(operation.get('description', ''))}</p>"
    parameters = [
        (
            f"<code>{escape(each['name'])}</code>",
            each["in"],
            "required" if each["required"] else _default(each["schema"]),
            f"{escape(each.get('description', ''))} {_kind(each['schema'])}",
        )
        for each in operation.get("parameters", [])
    ]
    if parameters:
        yield _table(("parameter", "in", "default", "meaning"), parameters)
    if body := operation.get("requestBody"):
        yield f"<p>Body: {_kind(body['content']['application/json']['schema'])}</p>"
    answers = [
        (status, _content(answer), escape(answer.get("description", "")))
        for status, answer in operation["responses"].items()
    ]
    yield f"{_table(('status', 'body', 'meaning'), answers)}</details>"


def _content(answer: Mapping[str, Any]) -> str:
    return "; ".join(
        f"<code>{escape(kind)}</code> {_kind(content.get('schema', {}))}"
        for kind, content in answer.get("content", {}).items()
    )


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    rows = [
        (f"<code>{escape(field)}</code>", _kind(each), escape(each.get("description", "")))
        for field, each in schema.get("properties", {}).items()
    ]
    listed = _table(("field", "type", "meaning"), rows) if rows else f"<p>{_kind(schema)}</p>"
    about = escape(schema.get("description", ""))
    return f'<h3 id="{escape(name)}">{escape(name)}</h3><p>{about}</p>{listed}'


def _kind(schema: Mapping[str, Any]) -> str:
    """Name a type, with a link to those that have a name, and what is allowed of it."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(map(_kind, schema["anyOf"]))
    if "enum" in schema:
        return "one of " + ", ".join(f"<code>{escape(str(word))}</code>" for word in schema["enum"])
    kind = schema.get("type", "any value")
    if kind == "array":
        return f"list of {_kind(schema['items'])}"
    limits = [
        f"{word} {schema[key]}"
        for key, word in (("minimum", "from"), ("maximum", "to"), ("maxLength", "at most"))
        if key in schema
    ]
    return escape(", ".join([str(schema.get("format", kind)), *limits]))


def _default(schema: Mapping[str, Any]) -> str:
    default = schema.get("default")
    return "" if default is None else f"<code>{escape(str(default))}</code>"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    heads = "".join(f'<th scope="col">{name}</th>' for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
