"""Writes a batch as the values of INSERT statements, column by column instead of value by value.

Only for connections with MariaDB's NO_BACKSLASH_ESCAPES and utf8mb4: there nothing but a quote ends
a literal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

# A statement is no longer than this, nor than half of what the server takes.
STATEMENT_BYTES: Final = 4_000_000
_PLAIN: Final = frozenset({"bigint", "bool"})
_FREE: Final = frozenset({"text", "json"})  # the others have no quotes


def inserts(
    columns: Mapping[str, pa.Array], types: Mapping[str, str], packet_bytes: int
) -> Iterator[str]:
    """What stands behind VALUES, of one statement after the other. ``columns``: texts, as
    ``hashing.texts`` gives them; ``packet_bytes``: the longest statement that the server takes."""
    parts: list[pa.Array | str] = ["("]
    for name, array in columns.items():
        parts += [_literals(array, types[name]), ","]
    rows = pc.binary_join_element_wise(*parts[:-1], ")", "")
    most = min(STATEMENT_BYTES, packet_bytes // 2)
    first, taken = 0, 0
    for row, length in enumerate(pc.binary_length(rows).to_pylist()):
        if taken and taken + length > most:
            yield ",".join(rows.slice(first, row - first).to_pylist())
            first, taken = row, 0
        taken += length
    yield ",".join(rows.slice(first).to_pylist())


def _literals(array: pa.Array, data_type: str) -> pa.Array:
    if data_type == "binary":  # \xABCD
        array = pc.binary_join_element_wise("x'", pc.utf8_slice_codeunits(array, 2), "'", "")
    elif data_type in _FREE:
        array = pc.binary_join_element_wise("'", pc.replace_substring(array, "'", "''"), "'", "")
    elif data_type not in _PLAIN:
        array = pc.binary_join_element_wise("'", array, "'", "")
    return pc.fill_null(array, "NULL")
