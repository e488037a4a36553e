"""How pages write times, spans, numbers and JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()

UNITS = ("B", "kB", "MB", "GB", "TB")
TREND_WIDTH, TREND_HEIGHT = 90, 18
FRESHNESS_WORDS = {
    "aging": "due",
    "stale": "late",
    "never": "never loaded",
    "no_promise": "no promise",
}
ISO_UTC = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?\+00:00")
# As services write a time within a sentence.
STAMP = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?) UTC\b")


@register.filter
def moment(when: datetime | str | None) -> SafeString | str:
    """A time in UTC that the page's script rewrites in the reader's zone."""
    if not when:
        return "–"
    found = datetime.fromisoformat(when) if isinstance(when, str) else when
    at = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    return format_html(
        '<time datetime="{}">{} UTC</time>',
        at.isoformat(timespec="seconds"),
        f"{at:%Y-%m-%d %H:%M:%S}",
    )


@register.filter
def instant(value: Any) -> SafeString | str:
    """What may be a time with its zone, as ISO 8601: a watermark; else as it is."""
    try:
        is_time = datetime.fromisoformat(str(value)).tzinfo is not None
    except ValueError:
        is_time = False
    return moment(str(value)) if is_time else str(value or "–")


@register.filter
def moments(sentence: str | None) -> SafeString:
    """A sentence with its times marked, so that the page's script writes them in the reader's zone."""
    return format_html_join("", "{}", ((part,) for part in _parts(sentence or "")))


def _parts(sentence: str) -> Iterator[str]:
    """Texts and times in turns."""
    end = 0
    for found in STAMP.finditer(sentence):
        yield sentence[end : found.start()]
        yield _stamped(found)
        end = found.end()
    yield sentence[end:]


def _stamped(found: re.Match[str]) -> str:
    """What looks like a time and is none stays as it is."""
    try:
        at = datetime.fromisoformat(f"{found[1]}+00:00")
    except ValueError:
        return found[0]
    return format_html(
        '<time datetime="{}" data-zoned>{}</time>', at.isoformat(timespec="seconds"), found[0]
    )


@register.filter
def span(seconds: float | None) -> str:
    """``8 s``, ``2 min 05 s``, ``3 h 10 min``, ``4 d 2 h``."""
    if not isinstance(seconds, int | float):
        return "–"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


@register.filter
def number(value: float | str | None) -> str:
    """With commas between the thousands; a dash for what is not known."""
    return f"{value:,}" if isinstance(value, int | float) else "–"


@register.filter
def size(size_bytes: float | None) -> str:
    """``812 B``, ``4.1 kB``, ``3.2 GB``; a dash for what is not known."""
    if not isinstance(size_bytes, int | float):
        return "–"
    for unit in UNITS[:-1]:
        if size_bytes < 1000:
            return f"{size_bytes:.3g} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.3g} {UNITS[-1]}"


@register.filter
def share(value: float | None) -> str:
    """A share of one in percent; a dash for what is not known."""
    return f"{value:.1%}" if isinstance(value, int | float) else "–"


@register.filter
def pretty(value: Any) -> str:
    """A JSON value as a reader wants it; nothing for nothing."""
    if value in (None, {}, []):
        return ""
    if isinstance(value, str | int | float):
        return str(value)
    return json.dumps(value, indent=2, ensure_ascii=False)


@register.filter
def cell(value: Any) -> str:
    """A value of a table as databases write it: ``true``, ``2026-11-30 15:38:57.25+00``."""
    if isinstance(value, bool):
        return str(value).lower()
    found = ISO_UTC.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return str(value)
    return f"{found[1]} {found[2]}{(found[3] or '').rstrip('0').rstrip('.')}+00"


@register.filter
def freshness_word(freshness: str) -> str:
    """As pages call how fresh a dataset is."""
    return FRESHNESS_WORDS.get(freshness, freshness)


@register.filter
def item(mapping: Mapping[str, Any], name: str) -> Any:
    """What a mapping holds under a name that a template has in a variable; None without one."""
    return mapping.get(name)


@register.filter
def trend(values: Sequence[float]) -> str:
    """The points of a line of ``TREND_WIDTH`` by ``TREND_HEIGHT``, the first value at the left."""
    if len(values) < 2:
        return ""
    top = max(values) or 1
    step = TREND_WIDTH / (len(values) - 1)
    points = (
        (n * step, TREND_HEIGHT - value / top * (TREND_HEIGHT - 2) - 1)
        for n, value in enumerate(values)
    )
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
