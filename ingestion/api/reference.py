"""The OpenAPI document as a page to read: doors by subject, what each takes and answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

# Said once for all doors.
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
class Door:
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
    doors: tuple[Door, ...]


def subjects(document: Schema, *, site: str) -> list[Subject]:
    """Every operation of an OpenAPI document, by its tag in alphabetical order. ``site``: its URL,
    for the examples."""
    schemas = document["components"]["schemas"]
    found: dict[str, list[Door]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            door = _door(method.upper(), path, operation, schemas, site)
            found.setdefault(operation["tags"][0], []).append(door)
    return [Subject(name, tuple(doors)) for name, doors in sorted(found.items())]


def _door(method: str, path: str, operation: Schema, schemas: Schema, site: str) -> Door:
    asked = tuple(_parameters(operation, schemas))
    body = tuple(_body(operation, schemas))
    return Door(
        method,
        path,
        _plain(operation.get("description", operation.get("summary", ""))),
        operation["x-scope"],
        asked + body,
        tuple(f"{code} {told['description']}" for code, told in _answers(operation)),
        _curl(method, f"{site}{path}", has_body=bool(body)),
    )


def _plain(text: str) -> str:
    """Without the line breaks and quotes of its source."""
    return " ".join(text.replace("``", "").split())


def _answers(operation: Schema) -> list[tuple[str, Schema]]:
    return sorted((str(code), told) for code, told in operation["responses"].items())


def _parameters(operation: Schema, schemas: Schema) -> Iterator[Field]:
    for given in operation.get("parameters", ()):
        is_required = bool(given.get("required"))
        yield _field(given["name"], given["in"], given["schema"], schemas, is_required=is_required)


def _body(operation: Schema, schemas: Schema) -> Iterator[Field]:
    content = operation.get("requestBody", {}).get("content", {})
    for told in content.values():
        yield from _properties(told["schema"], schemas)


def _properties(schema: Schema, schemas: Schema, within: str = "") -> Iterator[Field]:
    """Of an object; of objects in it too."""
    whole = _resolved(schema, schemas)
    for name, told in whole.get("properties", {}).items():
        is_required = name in whole.get("required", ())
        full = f"{within}{name}"
        yield _field(full, "body", told, schemas, is_required=is_required)
        yield from _properties(_main(told, schemas), schemas, f"{full}.")


def _field(name: str, where: str, told: Schema, schemas: Schema, *, is_required: bool) -> Field:
    main = _main(told, schemas)
    default = told.get("default")
    return Field(
        name,
        where,
        _kind(main, schemas),
        is_required,
        "" if default in (None, "") else json.dumps(default),
        ", ".join(text.format(f"{main[key]:,}") for key, text in LIMITS.items() if key in main),
    )


def _main(told: Schema, schemas: Schema) -> Schema:
    """Without the alternative of being null."""
    for choice in told.get("anyOf", ()):
        if choice.get("type") != "null":
            return _resolved(choice, schemas)
    return _resolved(told, schemas)


def _resolved(told: Schema, schemas: Schema) -> Schema:
    reference = told.get("$ref", "")
    return schemas[reference.rsplit("/", 1)[1]] if reference else told


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
