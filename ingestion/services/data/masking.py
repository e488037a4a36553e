"""Which columns hold personal data or secrets. By their names and types, and what operators declare.

A column that is masked can be neither read, filtered by nor sorted by: each of these would tell its
values one question at a time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from ingestion.conf import data_conf
from ingestion.sync.common.names import MISFITS, OVERFLOW, ROW_HASH


class Mask(StrEnum):
    """``SECRET``: for nobody to read. ``PERSONAL``: for those with the right."""

    NONE = "none"
    PERSONAL = "personal"
    SECRET = "secret"  # noqa: S105


_SECRET: Final = re.compile(
    r"passw(or)?d|(^|_)pwd|secret|token|api_?key|(private|signing|access)_?key|credential|authorization"
)
# Whatever type the column has.
_PERSONAL: Final = re.compile(
    r"phone|mobile|birth|(^|_)dob($|_)|(^|_)ssn|(^|_)(cell|fax|zip|zipcode|postal|postcode)($|_|\d)"
    r"|postal|latitude|longitude|(^|_)(lat|lng|lon)($|_)|location|^number_?\d$|destination_number"
)
# Where the column holds text.
_PERSONAL_TEXT: Final = re.compile(
    r"e_?mail|name($|_|\d)|surname|street|address|signature|recording|transcript|caller|ip_addr"
    r"|(^|_)(note|comment|message|body|content|description|detail|subject|summary|title)s?($|_|\d)"
    r"|^line_?\d$|(^|_)agent($|_)"
    # A sheet's column without a header.
    r"|^column_\d+$"
)
# What nobody can tell by a name: anything may stand in it. A hash of a row tells of its values to
# whoever guesses them.
_OPAQUE_TYPES: Final = frozenset({"json", "binary"})
_OPAQUE: Final = frozenset({ROW_HASH, MISFITS, OVERFLOW})
_TEXTUAL: Final = frozenset({"text", "json", "binary"})
# Names of things, not of people; a key that is made of personal values.
_OPEN: Final = (
    *(f"*.{model}.name" for model in (
        "*types", "*statuses", "*sources", "tags", "call_tags", "tag_groups", "teams", "workflows",
        "workflow_steps", "products", "line_items", "trackers", "integrations", "webhooks",
    )),
    *(f"*.*.{column}" for column in ("flow_name", "source_name", "campaign_name", "*type_name")),
)  # fmt: skip
_MASKED: Final = ("five9.contacts.contact_key", "genius.change_orders.reason")


def masks(crm_source: str, model: str, columns: Mapping[str, str]) -> dict[str, Mask]:
    """The mask of each column; ``columns``: data types by name."""
    conf = data_conf()
    masked, opened = (*_MASKED, *conf.masked_columns), (*_OPEN, *conf.open_columns)
    return {
        name: _mask(f"{crm_source}.{model}.{name}", name, kind, masked, opened)
        for name, kind in columns.items()
    }


def hidden(crm_source: str, model: str, columns: Mapping[str, str], *, personal: bool) -> set[str]:
    """The columns that a reader may not see. ``personal``: whether they may see personal data."""
    seen = {Mask.NONE, Mask.PERSONAL} if personal else {Mask.NONE}
    return {name for name, mask in masks(crm_source, model, columns).items() if mask not in seen}


def _mask(
    path: str, name: str, kind: str, masked: tuple[str, ...], opened: tuple[str, ...]
) -> Mask:
    lower = name.lower()
    if _SECRET.search(lower) and kind in _TEXTUAL:
        return Mask.SECRET
    if _is_named(path, masked):
        return Mask.PERSONAL
    if _is_named(path, opened):
        return Mask.NONE
    is_personal = (
        lower in _OPAQUE
        or kind in _OPAQUE_TYPES
        or _PERSONAL.search(lower)
        or (kind == "text" and _PERSONAL_TEXT.search(lower))
    )
    return Mask.PERSONAL if is_personal else Mask.NONE


def _is_named(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)
