"""Template filters: numbers and times as people read them. In every template (settings.TEMPLATES)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone

from balancer_core.resources import STANDARD, format_amount

register = template.Library()

UNKNOWN = "unknown"
LONGEST_JSON = 20_000
_UNITS = {resource.name: resource.unit for resource in STANDARD}


@register.filter
def amount(value: float | None, resource: str) -> str:
    """An amount of a resource: 1.5 cores, 2 GiB."""
    return UNKNOWN if value is None else format_amount(float(value), _UNITS.get(resource, resource))


@register.filter
def percent(share: float | None) -> str:
    """0.123 as 12 %; below ten with one place, because 0.4 % is not nothing."""
    if share is None or share == "":
        return UNKNOWN
    value = float(share) * 100
    return f"{value:.0f} %" if value >= 10 or value == 0 else f"{value:.1f} %"


@register.filter
def figure(value: float | None) -> str:
    """A cost or a rate: three figures that matter, never an exponent."""
    if value is None or value == "":
        return UNKNOWN
    number = float(value)
    if number != 0 and abs(number) < 0.0005:
        return "<0.001" if number > 0 else ">-0.001"
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


@register.filter
def age(seconds: float | None) -> str:
    """A number of seconds as an age: 0.4 s, 12 s, 3 min, 5 h, 2 d."""
    if seconds is None or seconds == "":
        return "never"
    value = max(0.0, float(seconds))
    if value < 9.95:
        return f"{value:.1f} s"
    for unit, size, limit in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172_800)):
        if value < limit:
            return f"{value / size:.0f} {unit}"
    return f"{value / 86_400:,.0f} d"


@register.filter
def ago(at: datetime | None) -> str:
    """How long ago a moment was."""
    return "never" if at is None else f"{age((timezone.now() - at).total_seconds())} ago"


@register.filter
def plain_json(value: Any) -> str:
    """A value as indented JSON, cut where it grows beyond what anybody reads on a page."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    return (
        text
        if len(text) <= LONGEST_JSON
        else f"{text[:LONGEST_JSON]}\n… {len(text) - LONGEST_JSON:,} characters more"
    )


@register.filter
def said(value: Any) -> str:
    """A value of an event in a few words: mappings as key=value, lists with commas, yes and no."""
    match value:
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{key}={said(each)}" for key, each in value.items()) or "none"
        case list():
            return ", ".join(said(each) for each in value) or "none"
        case _:
            return str(value)


@register.filter
def of(values: Mapping[str, Any], key: str) -> Any:
    """One value of a mapping, None where there is none."""
    return values.get(key)


@register.filter
def words(text: str) -> list[str]:
    """The words of a text, for a loop over fixed choices."""
    return text.split()


@register.filter
def spaced(code: str) -> str:
    """A reason's code as words."""
    return str(code).replace("_", " ").replace("-", " ")


@register.filter
def part_of(value: float | None, whole: float) -> float:
    """value as a percentage of whole, between 0 and 100, for the widths of bars."""
    if not value or not whole:
        return 0.0
    return round(min(max(float(value) / float(whole), 0.0), 1.0) * 100, 2)
