"""Scores, policies and rules that installed packages offer to the core, by entry point.

Added once, when the console's processes start. One that can't be added stops the start with its reason: a policy
that is silently missing would place loads by another one.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from balancer_core import filters, policies, scores
from balancer_core.extending import InvalidRule

#: Group of entry points to what takes them; scores first, since policies name them.
GROUPS: Final[dict[str, Callable[[Any], None]]] = {
    "steelyard.scores": scores.add,
    "steelyard.policies": policies.add,
    "steelyard.filters": filters.add,
}


class BrokenExtension(Exception):
    """An installed package offers something that the core can't take."""


def load() -> list[str]:
    """Add what is offered, by name within each group; the names as group:name. Raises BrokenExtension."""
    added = []
    for group, add in GROUPS.items():
        for point in sorted(entry_points(group=group), key=lambda each: each.name):
            _add(point, add)
            added.append(f"{group}:{point.name}")
    return added


def _add(point: EntryPoint, add: Callable[[Any], None]) -> None:
    try:
        add(point.load())
    except (InvalidRule, ImportError, AttributeError) as error:
        package = point.dist.name if point.dist else "a package"
        raise BrokenExtension(f"{point.group} {point.name!r} of {package}: {error}") from error
