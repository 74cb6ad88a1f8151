"""The HTTP endpoints, from the description that the service itself gives."""

from collections.abc import Iterator, Mapping
from typing import Any

from _docs_commands import table
from qanat.clock import SystemClock
from qanat.pipelines.metering import PIPELINE
from qanat.serve.app import create_app
from qanat.serve.served import Served
from qanat.session import open_session
from qanat.settings import CommonSettings

# Shapes of the frameworks, which differ between their versions.
_FOREIGN = frozenset({"HTTPValidationError", "JsonValue", "ValidationError"})


def http() -> str:
    """Every endpoint, from the description that the service itself gives."""
    settings = CommonSettings(store="memory:")
    with open_session(PIPELINE, settings, SystemClock()) as session:
        described = create_app([Served(PIPELINE, session)]).openapi()
    endpoints = [
        _endpoint(method, path, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    schemas = described["components"]["schemas"].items()
    shapes = [_shape(name, schema) for name, schema in schemas if name not in _FOREIGN]
    return "\n\n".join([*endpoints, "## Shapes", *shapes])


def _endpoint(method: str, path: str, operation: Mapping[str, Any]) -> str:
    lines = [f"## `{method.upper()} {path}`", operation["description"]]
    parameters = [
        (
            f"`{each['name']}`",
            each["in"],
            "required" if each["required"] else f"`{_told(each['schema'].get('default'))}`",
            _range(each["schema"], each.get("description", "")),
        )
        for each in operation.get("parameters", [])
    ]
    if parameters:
        lines.append(table(("parameter", "in", "default", "meaning"), parameters))
    if body := operation.get("requestBody"):
        lines.append(f"Body: {_named(body['content']['application/json']['schema'])}.")
    answers = operation["responses"]["200"].get("content", {"a stream": {}})
    (kind, content), *_ = answers.items()
    answer = _named(content["schema"]) if kind == "application/json" else kind
    lines.append(f"Answers {answer}.")
    return "\n\n".join(lines)


def _shape(name: str, schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return f"### `{name}`\n\nOne of {', '.join(f'`{word}`' for word in schema['enum'])}."
    rows = [
        (f"`{field}`", _named(each), each.get("description", ""))
        for field, each in schema["properties"].items()
    ]
    about = schema.get("description", "").partition("\n")[0]
    return f"### `{name}`\n\n{about}\n\n{table(('field', 'type', 'meaning'), rows)}"


def _named(schema: Mapping[str, Any]) -> str:
    """A type in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return "any value" if name in _FOREIGN else f"[`{name}`](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(map(_named, schema["anyOf"]))
    kind = schema.get("type", "any value")
    if kind == "array":
        return f"list of {_named(schema['items'])}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_named(schema['additionalProperties'])}"
    return str(schema.get("format", kind))


def _range(schema: Mapping[str, Any], about: str) -> str:
    """What is allowed, behind the meaning."""
    kinds = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    limits = [told for each in kinds for told in _limits(each)]
    words = [_named(each) for each in kinds]
    return " ".join(filter(None, [about, f"({', '.join([*words, *limits])})"]))


def _limits(schema: Mapping[str, Any]) -> Iterator[str]:
    for key, word in (("minimum", "from"), ("maximum", "to"), ("exclusiveMaximum", "below")):
        if key in schema:
            yield f"{word} {schema[key]}"


def _told(default: object) -> str:
    if default is None:
        return "null"
    return str(default).lower() if isinstance(default, bool) else str(default) or '""'


PARTS = {"http": http}
