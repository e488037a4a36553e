"""How pages write times, spans, numbers and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

TREND_WIDTH, TREND_HEIGHT = 90, 18


@register.filter
def moment(when: datetime | str | None) -> SafeString | str:
    """A time in UTC that the page's script rewrites in the reader's zone."""
    if not when:
        return "–"
    found = datetime.fromisoformat(when) if isinstance(when, str) else when
    at = found.astimezone(UTC)
    return format_html(
        '<time datetime="{}">{} UTC</time>', at.isoformat(), f"{at:%Y-%m-%d %H:%M:%S}"
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
def pretty(value: Any) -> str:
    """A JSON value as a reader wants it; nothing for nothing."""
    if value in (None, {}, []):
        return ""
    if isinstance(value, str | int | float):
        return str(value)
    return json.dumps(value, indent=2, ensure_ascii=False)


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
