"""The placements that hold room, as what-if takes them: each with what it asked, as its decision keeps it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from django.db.models import Q

from balancer_core.errors import InvalidInput
from balancer_core.load import Company, Load, Preference, Spread
from balancer_core.whatif import Held
from console.placements.models import Placement

#: Read at most; of more the newest, and the answer says that there are more.
MOST_HELD: Final = 50_000

_COLUMNS = (
    "pk", "host__name", "kind", "name", "demand", "group", "priority", "decision__policy", "decision__asked",
)  # fmt: skip


def held_placements(hosts: Collection[str] | None = None) -> tuple[list[Held], int]:
    """The held placements and how many more there are. hosts: only those on these hosts, and of their groups' other
    members where they are; None: all. One query, two for single hosts."""
    held = Placement.objects.filter(state=Placement.State.HELD)
    if hosts is not None:
        here = held.filter(host__name__in=hosts)
        groups = set(here.exclude(group="").values_list("group", flat=True))
        for asked in here.filter(decision__asked__isnull=False).values_list("decision__asked", flat=True):
            for constraint in (*asked.get("near", ()), *asked.get("apart", ())):
                groups.add(constraint["group"])
        held = held.filter(Q(host__name__in=hosts) | Q(group__in=groups)) if groups else here
    rows = list(held.order_by("-created_at").values_list(*_COLUMNS)[: MOST_HELD + 1])
    more = held.count() - MOST_HELD if len(rows) > MOST_HELD else 0
    return [_held(*row) for row in rows[:MOST_HELD]], more


def _held(
    key: Any,
    host: str,
    kind: str,
    name: str,
    demand: Mapping[str, float],
    group: str,
    priority: int,
    policy: str,
    asked: Mapping[str, Any] | None,
) -> Held:
    load, why_not = None, lost_of(asked or {}, group)
    if not why_not:
        try:
            load = _load(kind, name, demand, group, priority, policy, asked or {})
        except InvalidInput as error:
            why_not = f"it cannot be asked any more: {error}"
    return Held(str(key), host, kind, name, demand, group, load, why_not)


def lost_of(asked: Mapping[str, Any], group: str) -> str:
    """Why what was asked can't be asked again, "" where it can: a decision keeps only the first of long lists."""
    for name, words in (("pin_hosts", "only on"), ("exclude_hosts", "not on")):
        if more := asked.get(f"{name}_more"):
            return f'it said "{words}" of {more:,} hosts more than its decision keeps.'
    if not group and any("taken_more" in each for each in asked.get("spread", ())):
        return "it stated more counts than its decision keeps."
    return ""


def _load(
    kind: Any,
    name: str,
    demand: Mapping[str, float],
    group: str,
    priority: int,
    policy: str,
    asked: Mapping[str, Any],
) -> Load:
    return Load(
        kind=kind,
        name=name,
        demand=demand,
        labels=asked.get("labels", {}),
        exclude_hosts=frozenset(asked.get("exclude_hosts", ())),
        pin_hosts=frozenset(asked.get("pin_hosts", ())),
        policy=policy,
        options=asked.get("options", {}),
        marks=asked.get("marks", {}),
        group=group,
        priority=priority,
        tenant=asked.get("tenant", ""),
        spread=tuple(
            Spread(each["level"], each["taken"], each["max_per_domain"], each["max_skew"])
            for each in asked.get("spread", ())
        ),
        near=_companies(asked, "near"),
        apart=_companies(asked, "apart"),
        prefer=tuple(Preference(**each) for each in asked.get("prefer", ())),
    )


def _companies(asked: Mapping[str, Any], name: str) -> tuple[Company, ...]:
    return tuple(Company(each["group"], {}, each["level"], each["weight"]) for each in asked.get(name, ()))
