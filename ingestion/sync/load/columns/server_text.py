"""Types columns whose values a database server has written as texts.

A server writes each type in one way, so that Arrow reads a whole column without a look at each
value. What it cannot read goes by way of the values: ``None`` here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from ingestion.sync.common.source import TextColumn

# Year 1, where Python's times begin: in days and in microseconds before 1970.
FIRST_DAY: Final = -719_162
FIRST_MOMENT: Final = FIRST_DAY * 86_400_000_000
WITHOUT_FRACTION: Final = len("2026-03-01 12:00:00")
WITH_MICROSECONDS: Final = len("2026-03-01 12:00:00.000000")
ZERO_DATE: Final = r"^0000-00-00( 00:00:00(\.0+)?)?$"

# The typed column, and its canonical texts where they are known without a conversion.
Read = tuple[pa.Array, pa.Array | None]


def read(column: TextColumn, data_type: str) -> Read | None:
    """``column`` as its data type has it; None where that is not the server's own, or where a text
    is out of the ordinary. Raises ArrowInvalid for what Arrow cannot read."""
    reader = _READERS.get((data_type, column.kind))
    return None if reader is None else reader(column.array.cast(pa.string()))


def _text(texts: pa.Array) -> Read | None:
    return None if has_nul(texts) else (texts, texts)


def has_nul(texts: pa.Array) -> bool:
    """Also where only a row beside a slice has one."""
    written = texts.buffers()[2]
    return written is not None and b"\0" in written.to_pybytes()


def _whole(texts: pa.Array) -> Read:
    return texts.cast(pa.int64()), texts


def _double(texts: pa.Array) -> Read:
    return texts.cast(pa.float64()), None


def _decimal(texts: pa.Array) -> Read:
    """Without zeros that say nothing behind the point; there are none before it."""
    cut = pc.ascii_rtrim(pc.ascii_rtrim(texts, "0"), ".")
    bare = pc.if_else(pc.match_substring(texts, "."), cut, texts)
    bare = pc.if_else(pc.equal(bare, "-0"), "0", bare)
    return bare, bare


def _moment(texts: pa.Array) -> Read | None:
    dated = _dated(texts)
    array = dated.cast(pa.timestamp("us"))
    if _is_before(array, FIRST_MOMENT):
        return None
    lengths = set(pc.unique(pc.binary_length(dated)).to_pylist()) - {None}
    if lengths == {WITHOUT_FRACTION}:
        return array, pc.binary_join_element_wise(dated, ".000000", "")
    return array, dated if lengths == {WITH_MICROSECONDS} else None


def _day(texts: pa.Array) -> Read | None:
    dated = _dated(texts)
    array = dated.cast(pa.date32())
    return None if _is_before(array, FIRST_DAY) else (array, dated)


def _dated(texts: pa.Array) -> pa.Array:
    """Zeros are how MySQL writes that there is no time."""
    if not pc.any(pc.starts_with(texts, "0000-00-00")).as_py():
        return texts
    is_zero = pc.match_substring_regex(texts, ZERO_DATE)
    return pc.if_else(is_zero, pa.scalar(None, pa.string()), texts)


def _is_before(array: pa.Array, first: int) -> bool:
    whole = pa.int32() if array.type == pa.date32() else pa.int64()
    lowest = pc.min(array.cast(whole)).as_py()
    return lowest is not None and lowest < first


_READERS: Final[dict[tuple[str, type], Callable[[pa.Array], Read | None]]] = {
    ("text", str): _text,
    ("bigint", int): _whole,
    ("decimal", int): lambda texts: (texts, texts),
    ("decimal", Decimal): _decimal,
    ("double", float): _double,
    ("datetime", datetime): _moment,
    ("date", date): _day,
}
