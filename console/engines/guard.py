"""The last check before a product sees a target: never an empty or halved endpoint set by accident.

Assumption: endpoints vanish in number because a source broke (a query that returned nothing, a
reload half done) far more often than because someone meant it. Whoever means it says force.
Changes of weight or state pass: they take nothing away that cannot be given back at once.
Removing a whole service passes too: nobody does that by returning an empty list.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from console.engines.target import TrafficTarget


@dataclass(frozen=True, slots=True)
class Shrinkage:
    """One service that would lose too much. before, after: numbers of endpoints."""

    service: str
    before: int
    after: int


class GuardRefused(Exception):
    """The target was not published; nothing changed. shrinkages: each service concerned, at least one."""

    def __init__(self, shrinkages: tuple[Shrinkage, ...]) -> None:
        self.shrinkages = shrinkages
        self.service = shrinkages[0].service
        self.before = shrinkages[0].before
        self.after = shrinkages[0].after
        named = ", ".join(f"{s.service} from {s.before} to {s.after}" for s in shrinkages[:5])
        more = f" and {len(shrinkages) - 5} more services" if len(shrinkages) > 5 else ""
        super().__init__(f"endpoints would fall below half: {named}{more}; publish with force if meant")


def shrinkages(before: TrafficTarget, after: TrafficTarget) -> tuple[Shrinkage, ...]:
    """The services of both targets whose endpoints become none, or fewer than half of what they were."""
    sizes = {service.name: len(service.endpoints) for service in before.services}
    return tuple(
        Shrinkage(service.name, sizes[service.name], len(service.endpoints))
        for service in after.services
        if 2 * len(service.endpoints) < sizes.get(service.name, 0)
    )


def check(before: TrafficTarget, after: TrafficTarget, meant: Collection[str] = ()) -> None:
    """Raise GuardRefused if after takes away what only a deliberate act should. meant: services of such an act."""
    found = tuple(each for each in shrinkages(before, after) if each.service not in meant)
    if found:
        raise GuardRefused(found)
