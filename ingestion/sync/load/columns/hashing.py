"""The content of rows as text, column by column, and the hash of it.

A row is written as ``name=value`` for each column that is not null, in the order of the names; a
free text stands behind its length, so that no text can look like two columns. A new column that is
null changes no hash, nor does a type that widens. The version stands before the hash: rows that
another version has hashed are compared by their values, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

VERSION: Final = "1:"
_DIGEST_BYTES: Final = 16
_END: Final = "\x1f"
_FREE: Final = frozenset({"text", "json"})
_NO_TEXT: Final = pa.scalar(None, pa.string())


def texts(array: pa.Array, data_type: str) -> pa.Array:
    """The column as text, the same for equal values, and as PostgreSQL's COPY reads it."""
    if data_type == "timestamp":
        array = array.cast(pa.timestamp("us"))
    if data_type == "binary":
        return pa.array([None if v is None else f"\\x{v.hex()}" for v in array.to_pylist()])
    return array if array.type == pa.string() else array.cast(pa.string())


def text_values(array: pa.Array, data_type: str) -> list[Any]:
    """``texts``, value by value."""
    found: list[Any] = texts(array, data_type).to_pylist()
    return found


def row_hashes(columns: Mapping[str, pa.Array], types: Mapping[str, str]) -> pa.Array:
    """``columns``: texts of at least one column, all of one length."""
    parts: list[pa.Array | str] = []
    for name in sorted(columns):
        tagged = _tagged(name, columns[name], types[name])
        # Where a row has no value it has no name either; a column that is full needs no copy.
        is_full = columns[name].null_count == 0
        parts += tagged if is_full else [pc.binary_join_element_wise(*tagged, "")]
    joined = pc.binary_join_element_wise(*parts, "", null_handling="skip")
    rows = joined.cast(pa.binary()).to_pylist()
    return pa.array(
        [VERSION + blake2b(row, digest_size=_DIGEST_BYTES).hexdigest() for row in rows], pa.string()
    )


def _tagged(name: str, column: pa.Array, data_type: str) -> list[pa.Array | str]:
    if data_type in _FREE:
        length = pc.binary_length(column).cast(pa.string())
        return [f"{name}=", length, ":", column, _END]
    return [f"{name}=", column, _END]
