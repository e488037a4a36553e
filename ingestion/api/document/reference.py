"""The OpenAPI document as a page to read: endpoints by subject, what each takes and answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

# The limits that the page shows, in words.
LIMITS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "maxItems": "at most {} items",
}


@dataclass(frozen=True)
class Field:
    """``name`` has dots where it stands within another one; ``kind`` in words."""

    name: str
    where: str
    kind: str
    is_required: bool
    default: str
    limits: str


@dataclass(frozen=True)
class Endpoint:
    method: str
    path: str
    text: str
    scope: str
    fields: tuple[Field, ...]
    statuses: tuple[str, ...]
    curl: str

    @property
    def anchor(self) -> str:
        return f"{self.method}{self.path}".replace("/", "-").replace("{", "").replace("}", "")


@dataclass(frozen=True)
class Subject:
    name: str
    endpoints: tuple[Endpoint, ...]


def subjects(document: Schema, *, site: str) -> list[Subject]:
    """Every operation of an OpenAPI document, by its tag in alphabetical order. ``site``: its URL,
    for the examples."""
    schemas = document["components"]["schemas"]
    found: dict[str, list[Endpoint]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            endpoint = _endpoint(method.upper(), path, operation, schemas, site)
            found.setdefault(operation["tags"][0], []).append(endpoint)
    return [Subject(name, tuple(endpoints)) for name, endpoints in sorted(found.items())]


def _endpoint(method: str, path: str, operation: Schema, schemas: Schema, site: str) -> Endpoint:
    asked = tuple(_parameters(operation, schemas))
    body = tuple(_body(operation, schemas))
    return Endpoint(
        method,
        path,
        _plain(operation.get("description", operation.get("summary", ""))),
        operation["x-scope"],
        asked + body,
        tuple(f"{code} {answer['description']}" for code, answer in _answers(operation)),
        _curl(method, f"{site}{path}", has_body=bool(body)),
    )


def _plain(text: str) -> str:
    """Without the line breaks and quotes of its source."""
    return " ".join(text.replace("``", "").split())


def _answers(operation: Schema) -> list[tuple[str, Schema]]:
    return sorted((str(code), answer) for code, answer in operation["responses"].items())


def _parameters(operation: Schema, schemas: Schema) -> Iterator[Field]:
    for parameter in operation.get("parameters", ()):
        is_required = bool(parameter.get("required"))
        yield _field(
            parameter["name"],
            parameter["in"],
            parameter["schema"],
            schemas,
            is_required=is_required,
        )


def _body(operation: Schema, schemas: Schema) -> Iterator[Field]:
    content = operation.get("requestBody", {}).get("content", {})
    for media in content.values():
        yield from _properties(media["schema"], schemas)


def _properties(schema: Schema, schemas: Schema, within: str = "") -> Iterator[Field]:
    """Of an object; of objects in it too."""
    whole = _resolved(schema, schemas)
    for name, inner in whole.get("properties", {}).items():
        is_required = name in whole.get("required", ())
        full = f"{within}{name}"
        yield _field(full, "body", inner, schemas, is_required=is_required)
        yield from _properties(_main(inner, schemas), schemas, f"{full}.")


def _field(name: str, where: str, schema: Schema, schemas: Schema, *, is_required: bool) -> Field:
    main = _main(schema, schemas)
    default = schema.get("default")
    return Field(
        name,
        where,
        _kind(main, schemas),
        is_required,
        "" if default in (None, "") else json.dumps(default),
        ", ".join(text.format(f"{main[key]:,}") for key, text in LIMITS.items() if key in main),
    )


def _main(schema: Schema, schemas: Schema) -> Schema:
    """Without the alternative of being null."""
    for choice in schema.get("anyOf", ()):
        if choice.get("type") != "null":
            return _resolved(choice, schemas)
    return _resolved(schema, schemas)


def _resolved(schema: Schema, schemas: Schema) -> Schema:
    reference = schema.get("$ref", "")
    return schemas[reference.rsplit("/", 1)[1]] if reference else schema


def _kind(main: Schema, schemas: Schema) -> str:
    if "enum" in main:
        return " | ".join(map(str, main["enum"]))
    if main.get("type") == "array":
        return f"list of {_kind(_main(main.get('items', {}), schemas), schemas)}"
    return str(main.get("format") or main.get("type") or "any value")


def _curl(method: str, url: str, *, has_body: bool) -> str:
    verb = "" if method == "GET" else f" -X {method}"
    sent = " -H 'Content-Type: application/json' -d '{…}'" if has_body else ""
    return f"curl{verb} -H 'Authorization: Bearer TOKEN'{sent} '{url}'"
