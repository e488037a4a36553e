"""Names of columns: snake case in ASCII, at most 63 characters, as PostgreSQL takes them.

A name is a function of the source's own name alone, so that no order of fields can change it. Two
names that meet in one column are told apart by ``with_suffix``.
"""

from __future__ import annotations

import re
from base64 import b64encode
from functools import lru_cache
from hashlib import blake2b, shake_128
from typing import Final

from anyascii import anyascii

MAX_IDENTIFIER_LENGTH: Final = 63
UNNAMED: Final = "unnamed"  # a sheet may have a column without a header
SUFFIX_DIGITS: Final = 6

# What the warehouse writes beside the source's own columns.
ROW_HASH: Final = "_row_hash"
DELETED_AT: Final = "_deleted_at"
DELETED_PROOF: Final = "_deleted_proof"
SYNCED_AT: Final = "_synced_at"
RUN_ID: Final = "_run_id"
MISFITS: Final = "_misfits"
OVERFLOW: Final = "_overflow"

# The load's own tables, one set in each dataset.
COLUMNS_TABLE: Final = "_columns"
WATERMARKS_TABLE: Final = "_watermarks"
REJECTED_TABLE: Final = "_rejected"

# PostgreSQL keeps the first ones for itself; the last ones are SQLite's.
SYSTEM_COLUMNS: Final = frozenset(
    {"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid", "oid", "rowid", "_rowid_"}
)

_REDUCED = str.maketrans("+-*@|", "x_xal")
_NOT_WORD = re.compile(r"[^a-zA-Z\d_]+")
_BREAK_BEFORE_WORD = re.compile("([^_])([A-Z][a-z]+)")
_BREAK_BEFORE_CAPITAL = re.compile("([a-z0-9])([A-Z])")
_UNDERSCORES = re.compile("__+")
_TAG_LETTERS = str.maketrans("/+", "ab")
_TAG_BYTES = 4


@lru_cache(maxsize=100_000)
def column_name(name: str) -> str:
    """The column that a source's field is landed in, unless another field has it already."""
    if not name.strip():
        return UNNAMED
    return _snake(name if name.isascii() else anyascii(name).strip() or name, name)


@lru_cache(maxsize=100_000)
def old_column_name(name: str) -> str:
    """As releases before the column map named it: what is not ASCII became ``_``."""
    return _snake(name, name) if name.strip() else UNNAMED


def with_suffix(column: str, name: str) -> str:
    """``column`` with six hexadecimal digits of the source's own name."""
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=SUFFIX_DIGITS // 2)
    return f"{column[: MAX_IDENTIFIER_LENGTH - SUFFIX_DIGITS - 1]}_{digest.hexdigest()}"


def _snake(text: str, original: str) -> str:
    reduced = _NOT_WORD.sub("_", text.strip().translate(_REDUCED))
    words = _BREAK_BEFORE_WORD.sub(r"\1_\2", reduced)
    words = _BREAK_BEFORE_CAPITAL.sub(r"\1_\2", words).lower()
    if words[:1].isdigit():
        words = f"_{words}"
    bare = words.rstrip("_")
    return _cut(_UNDERSCORES.sub("_", bare + "x" * (len(words) - len(bare))), original.strip())


def _cut(column: str, original: str) -> str:
    """A long name keeps its beginning and its end, with a tag of the whole between them."""
    if len(column) <= MAX_IDENTIFIER_LENGTH:
        return column
    encoded = original.encode("utf-8", "surrogatepass")
    tag = b64encode(shake_128(encoded).digest(_TAG_BYTES)).rstrip(b"=").decode()
    tag = tag.translate(_TAG_LETTERS).lower()
    left = MAX_IDENTIFIER_LENGTH - len(tag)
    return column[: left // 2 + left % 2] + tag + column[len(column) - left // 2 :]
