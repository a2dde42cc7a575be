"""The load strip: four bars (cpu, memory, disk, net), each the worst of its resources, used beside reserved.

The same numbers as text: for readers of text, and for browsers before the script has drawn them.
Drawn in one place, static/js/strip.js; what a bar sums up is said in one place, console.live.ticks.BARS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from console.live.frames import BARS

UNKNOWN = "unknown"

#: Its tag is in every template (settings.TEMPLATES).
register = template.Library()


@dataclass(frozen=True)
class Bar:
    """Shares of capacity, 1.0 = all of it; None where it is not known."""

    name: str
    used: float | None
    reserved: float | None


@dataclass(frozen=True)
class Strip:
    """bars in the order of BARS. solid, outline: what the two marks mean here.

    missing: what a share that is None means. Only UNKNOWN is drawn as unknown; else the bar is no part of it.
    """

    bars: tuple[Bar, ...]
    solid: str = "used"
    outline: str = "reserved"
    missing: str = UNKNOWN

    @property
    def used(self) -> str:
        """The element's attribute: shares with three places, empty where unknown."""
        return ",".join(self._figure(bar.used) for bar in self.bars)

    @property
    def reserved(self) -> str:
        return ",".join(self._figure(bar.reserved) for bar in self.bars)

    @property
    def text(self) -> str:
        return "; ".join(
            f"{bar.name} {self._said(bar.used)} {self.solid}, {self._said(bar.reserved)} {self.outline}"
            for bar in self.bars
            if self.missing == UNKNOWN or bar.used is not None
        )

    @property
    def worst(self) -> float | None:
        """The highest used share, None where none is known."""
        return max((bar.used for bar in self.bars if bar.used is not None), default=None)

    def _figure(self, share: float | None) -> str:
        if share is None:
            return "" if self.missing == UNKNOWN else "-"
        return f"{share:.3f}"

    def _said(self, share: float | None) -> str:
        return self.missing if share is None else f"{share:.0%}"


def strip_of(
    used: Mapping[str, float | None],
    reserved: Mapping[str, float | None],
    solid: str = "used",
    outline: str = "reserved",
    missing: str = UNKNOWN,
) -> Strip:
    """From shares by resource. A resource that is not among them, or None, is missing."""
    bars = tuple(Bar(name, _worst(used, parts), _worst(reserved, parts)) for name, parts in BARS.items())
    return Strip(bars, solid, outline, missing)


@register.simple_tag
def load_strip(strip: Strip, host: str = "", word: str = "", size: str = "") -> SafeString:
    """The element. host: whose live figures it follows; word: of the host's state; size: a class of its style."""
    # What is made of figures, and the words of the bars, need no escaping.
    figures = {"used": SafeString(strip.used), "reserved": SafeString(strip.reserved)}
    given = {"host": host, "class": size, **figures, "state": word}
    needed = {key: value for key, value in given.items() if value or key in figures}
    attributes = "".join(f' {key}="{{}}"' for key in needed)
    element = f"<load-strip{attributes}><span>{{}}</span></load-strip>"
    return format_html(element, *needed.values(), SafeString(strip.text))


def _worst(shares: Mapping[str, float | None], resources: tuple[str, ...]) -> float | None:
    return max((share for name in resources if (share := shares.get(name)) is not None), default=None)
