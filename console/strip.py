"""The load strip: four bars (cpu, memory, disk, net), each the worst of its resources, used beside reserved.

The same numbers as text: for readers of text, and for browsers before the script has drawn them.
Drawn in one place, static/js/strip.js; what a bar sums up is said in one place, console.live.ticks.BARS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from console.live.ticks import BARS


@dataclass(frozen=True)
class Bar:
    """Shares of capacity, 1.0 = all of it; None where it is not known."""

    name: str
    used: float | None
    reserved: float | None


@dataclass(frozen=True)
class Strip:
    """bars in the order of BARS. solid, outline: what the two marks mean here."""

    bars: tuple[Bar, ...]
    solid: str = "used"
    outline: str = "reserved"

    @property
    def used(self) -> str:
        """The element's attribute: shares with three places, empty where unknown."""
        return ",".join(_figure(bar.used) for bar in self.bars)

    @property
    def reserved(self) -> str:
        return ",".join(_figure(bar.reserved) for bar in self.bars)

    @property
    def text(self) -> str:
        return "; ".join(
            f"{bar.name} {_said(bar.used)} {self.solid}, {_said(bar.reserved)} {self.outline}" for bar in self.bars
        )

    @property
    def worst(self) -> float | None:
        """The highest used share, None where none is known."""
        return max((bar.used for bar in self.bars if bar.used is not None), default=None)


def strip_of(
    used: Mapping[str, float | None], reserved: Mapping[str, float | None], solid: str = "used", outline: str = "reserved"
) -> Strip:
    """From shares by resource. A resource that is missing or None is not known."""
    bars = tuple(Bar(name, _worst(used, parts), _worst(reserved, parts)) for name, parts in BARS.items())
    return Strip(bars, solid, outline)


def _worst(shares: Mapping[str, float | None], resources: tuple[str, ...]) -> float | None:
    return max((share for name in resources if (share := shares.get(name)) is not None), default=None)


def _figure(share: float | None) -> str:
    return "" if share is None else f"{share:.3f}"


def _said(share: float | None) -> str:
    return "unknown" if share is None else f"{share:.0%}"
