"""The service's own description, as clients of OData read it before anything else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from xml.sax.saxutils import quoteattr

Row = dict[str, Any]
NAMESPACE = "MarketSharp"


def metadata_of(sets: Mapping[str, list[Row]]) -> str:
    """EDMX with a type for each entity set, of what its rows hold."""
    types = "".join(_entity_type(name, rows) for name, rows in sets.items())
    shown = "".join(
        f"<EntitySet Name={quoteattr(name)} EntityType={quoteattr(f'{NAMESPACE}.{name}')}/>"
        for name in sets
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx">'
        '<edmx:DataServices m:DataServiceVersion="2.0"'
        ' xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">'
        f'<Schema Namespace="{NAMESPACE}" xmlns="http://schemas.microsoft.com/ado/2008/09/edm">'
        f'{types}<EntityContainer Name="Entities" m:IsDefaultEntityContainer="true">{shown}'
        "</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"
    )


def key_of(rows: list[Row]) -> str:
    return next(iter(rows[0])) if rows else "id"


def names_of(rows: Iterable[Row]) -> list[str]:
    """Of all properties, in their order."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _entity_type(name: str, rows: list[Row]) -> str:
    key = key_of(rows)
    properties = "".join(
        f"<Property Name={quoteattr(n)} Type={quoteattr(_type([r.get(n) for r in rows]))}"
        f' Nullable="{str(n != key).lower()}"/>'
        for n in names_of(rows)
    )
    reference = f"<Key><PropertyRef Name={quoteattr(key)}/></Key>"
    return f"<EntityType Name={quoteattr(name)}>{reference}{properties}</EntityType>"


def _type(values: list[Any]) -> str:
    found = next((value for value in values if value is not None), "")
    if isinstance(found, bool):
        return "Edm.Boolean"
    if isinstance(found, int):
        return "Edm.Int32"
    return "Edm.DateTime" if found.startswith("/Date(") else "Edm.String"
