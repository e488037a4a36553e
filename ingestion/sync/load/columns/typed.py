"""Fits a column of values to its type.

``fit`` says value by value what a column takes. Arrow is its fast path: where a whole column is of
one kind and of a shape on which both agree, Arrow converts it at once; any doubt leads back to
``fit``. Guarded are the casts that differ from ``fit``: Arrow reads "0x10" as a number, takes a
time without a zone for UTC or refuses it by the target's type, and wraps a decimal that is too long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.sync.common.misfits import Reason
from ingestion.sync.common.source import SourceColumn, TextColumn
from ingestion.sync.common.values import Decimals, DoesNotFit, fit, plain_decimal
from ingestion.sync.load.columns import server_text
from ingestion.sync.load.columns.types import ARROW

# Of fewer different values each is fitted once.
MOST_DISTINCT_SHARE: Final = 0.25

_WHOLE = r"^-?[0-9]{1,18}$"
_DECIMAL = r"^-?[0-9]{1,60}(\.[0-9]{1,60})?$"
_DOUBLE = r"^-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?$"
_DATE = r"^(19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}$"
_MOMENT = r"^(19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
_WITH_ZONE = _MOMENT + r"(Z|[+-][0-9]{2}:[0-9]{2})$"
_WITHOUT_ZONE = _MOMENT + "$"


@dataclass(frozen=True)
class Typed:
    """A column that fits. ``misfits``: the raw values that do not, by row, with the reasons; their
    cells are null. ``texts``: what ``hashing.texts`` gives for ``array``, where that is known."""

    array: pa.Array
    misfits: dict[int, tuple[Any, Reason]] = field(default_factory=dict)
    texts: pa.Array | None = None


def typed(values: SourceColumn, data_type: str) -> Typed:
    """The values as a column of ``data_type`` stores them."""
    if isinstance(values, TextColumn):
        return _typed_by_server(values, data_type) or typed(list(values), data_type)
    kinds = set(map(type, values)) - {type(None)}
    if not kinds:
        return Typed(pa.nulls(len(values), ARROW[data_type]))
    if len(kinds) == 1:
        (kind,) = kinds
        try:
            found = _fast(values, data_type, kind)
        except (pa.ArrowException, ValueError, OverflowError, TypeError):
            found = None
        if found is not None:
            return Typed(found)
    return _one_by_one(values, data_type)


def within(found: Typed, values: SourceColumn, limits: Decimals) -> Typed:
    """A column of decimals without those that the warehouse does not take."""
    beyond = pc.invert(pc.match_substring_regex(found.array, limits.pattern))
    rows = pc.indices_nonzero(pc.fill_null(beyond, False)).to_pylist()
    if not rows:
        return found
    raw = list(values)
    misfits: dict[int, tuple[Any, Reason]] = {row: (raw[row], "too_long") for row in rows}
    array = pc.if_else(beyond, pa.scalar(None, pa.string()), found.array)
    return Typed(array, {**found.misfits, **misfits})


def _typed_by_server(column: TextColumn, data_type: str) -> Typed | None:
    try:
        found = server_text.read(column, data_type)
    except pa.ArrowInvalid:
        return None
    return None if found is None else Typed(found[0], texts=found[1])


def kept(value: Any, data_type: str) -> Any:
    """A value that ``fit`` gave, as the Arrow column of its type takes it."""
    if value is None:
        return None
    match data_type:
        case "decimal":
            return plain_decimal(value)
        case "json":
            return json_text(value)
        case "time":
            return time.isoformat(value, timespec="microseconds")
    return value


def json_text(value: Any) -> str:
    """JSON in one form: names sorted, no blanks. Numbers stay as they are."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:  # a number beyond 64 bits
        import json

        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _one_by_one(values: Sequence[Any], data_type: str) -> Typed:
    column: list[Any] = []
    misfits: dict[int, tuple[Any, Reason]] = {}
    for row, value in enumerate(values):
        try:
            column.append(None if value is None else kept(fit(value, data_type), data_type))
        except DoesNotFit as problem:
            column.append(None)
            misfits[row] = (value, problem.reason)
    return Typed(pa.array(column, ARROW[data_type]), misfits)


def _fast(values: Sequence[Any], data_type: str, kind: type) -> pa.Array | None:
    convert = _FAST.get((data_type, kind))
    if convert is not None:
        found = convert(values)
        if found is not None:
            return found
    return _by_distinct(values, data_type) if kind is str and data_type in _FROM_TEXT else None


def _by_distinct(values: Sequence[Any], data_type: str) -> pa.Array | None:
    """Each different text fitted once; None where there are too many, or one does not fit."""
    distinct = set(values)
    if len(distinct) > max(8, MOST_DISTINCT_SHARE * len(values)):
        return None
    try:
        fitted = {v: kept(fit(v, data_type), data_type) for v in distinct}
    except DoesNotFit:
        return None
    return pa.array([fitted[value] for value in values], ARROW[data_type])


def _text(values: Sequence[Any]) -> pa.Array | None:
    array = pa.array(values, pa.string())  # a lone surrogate raises
    return None if pc.any(pc.match_substring(array, "\0")).as_py() else array


def _whole(values: Sequence[Any]) -> pa.Array:
    return pa.array(values, pa.int64())


def _text_of_whole(values: Sequence[Any]) -> pa.Array:
    return _whole(values).cast(pa.string())


def _whole_of_text(values: Sequence[Any]) -> pa.Array | None:
    trimmed = _trimmed(values)
    return trimmed.cast(pa.int64()) if _all_match(trimmed, _WHOLE) else None


def _double(values: Sequence[Any]) -> pa.Array | None:
    array = pa.array(values, pa.float64())
    return array if pc.all(pc.is_finite(array)).as_py() else None


def _double_of_text(values: Sequence[Any]) -> pa.Array | None:
    trimmed = _trimmed(values)
    return _finite(trimmed.cast(pa.float64())) if _all_match(trimmed, _DOUBLE) else None


def _finite(array: pa.Array) -> pa.Array | None:
    return array if pc.all(pc.is_finite(array)).as_py() is not False else None


def _decimal_of_text(values: Sequence[Any]) -> pa.Array | None:
    trimmed = _trimmed(values)
    return canonical_decimals(trimmed) if _all_match(trimmed, _DECIMAL) else None


def canonical_decimals(texts: pa.Array) -> pa.Array:
    """Plain decimal texts without zeros that say nothing."""
    bare = pc.replace_substring_regex(texts, r"^(-?)0+([0-9])", r"\1\2")
    cut = pc.utf8_rtrim(pc.utf8_rtrim(bare, "0"), ".")
    bare = pc.if_else(pc.match_substring(bare, "."), cut, bare)
    return pc.if_else(pc.equal(bare, "-0"), "0", bare)


def _decimal(values: Sequence[Any]) -> pa.Array | None:
    """None where one is written with an exponent, or is none."""
    array = pa.array([None if value is None else str(value) for value in values], pa.string())
    return canonical_decimals(array) if _all_match(array, _DECIMAL) else None


def _moments(values: Sequence[Any]) -> pa.Array | None:
    """Only of one zone: Arrow would take that of the first for all."""
    zones = {v.tzinfo for v in values if v is not None}
    return pa.array(values, pa.timestamp("us", "UTC")) if zones == {UTC} else None


def _zoneless(values: Sequence[Any]) -> pa.Array | None:
    zones = {v.tzinfo for v in values if v is not None}
    return pa.array(values, pa.timestamp("us")) if zones == {None} else None


def _moments_of_text(values: Sequence[Any]) -> pa.Array | None:
    trimmed = _trimmed(values)
    return trimmed.cast(pa.timestamp("us", "UTC")) if _all_match(trimmed, _WITH_ZONE) else None


def _zoneless_of_text(values: Sequence[Any]) -> pa.Array | None:
    trimmed = _trimmed(values)
    return trimmed.cast(pa.timestamp("us")) if _all_match(trimmed, _WITHOUT_ZONE) else None


def _date_of_text(values: Sequence[Any]) -> pa.Array | None:
    trimmed = _trimmed(values)
    return trimmed.cast(pa.date32()) if _all_match(trimmed, _DATE) else None


def _json(values: Sequence[Any]) -> pa.Array | None:
    """None where a text has what no warehouse stores, or a value is none of JSON's own."""
    option = (
        orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
    )
    try:
        texts = [None if v is None else orjson.dumps(v, option=option) for v in values]
    except TypeError:
        return None
    array = pa.array(texts, pa.binary()).cast(pa.string())
    return None if pc.any(pc.match_substring(array, "\\u0000")).as_py() else array


def _trimmed(values: Sequence[Any]) -> pa.Array:
    """Without blanks at both ends; what is blank is null."""
    array = pc.utf8_trim_whitespace(pa.array(values, pa.string()))
    return pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)


def _all_match(array: pa.Array, pattern: str) -> bool:
    return pc.all(pc.match_substring_regex(array, pattern)).as_py() is not False


_Fast = Callable[[Sequence[Any]], pa.Array | None]
_FAST: Final[dict[tuple[str, type], _Fast]] = {
    ("text", str): _text,
    ("text", int): _text_of_whole,
    ("bigint", int): _whole,
    ("bigint", str): _whole_of_text,
    ("double", float): _double,
    ("double", str): _double_of_text,
    ("decimal", str): _decimal_of_text,
    ("decimal", int): _text_of_whole,
    ("decimal", Decimal): _decimal,
    ("bool", bool): lambda values: pa.array(values, pa.bool_()),
    ("timestamp", datetime): _moments,
    ("timestamp", str): _moments_of_text,
    ("datetime", datetime): _zoneless,
    ("datetime", str): _zoneless_of_text,
    ("date", date): lambda values: pa.array(values, pa.date32()),
    ("date", str): _date_of_text,
    ("json", dict): _json,
    ("json", list): _json,
}
_FROM_TEXT: Final = frozenset(
    {"bigint", "double", "decimal", "bool", "timestamp", "datetime", "date", "time"}
)
