"""Groups of held placements: how many there are in each failure domain, and one writer a group.

Theory of operation. A load may name a group that it belongs to, and groups that it must be near to or apart
from. Where the caller states no counts for them, they are counted here, from the placements that hold room.
Counts are only worth what nobody changes meanwhile: whoever places a load that belongs to a group, or looks
at one, takes that group's turn first, counts, decides and commits, all in one transaction. So a rule that a
decision kept by these counts is kept by the ledger too at the moment of the commit. Releases take no turn: a
group that shrinks can be left more skewed than its rule, as it can by a host that is lost.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from django.db import connection

from balancer_core.constraints import HOST
from balancer_core.placement import Company, Load
from console.fleet.models import Host

_HELD = (
    'SELECT "group", host_id, COUNT(*) FROM placements_placement'
    # Literal, as the partial index placement_group has it.
    ' WHERE state = \'held\' AND "group" > \'\' AND "group" IN ({names}) GROUP BY "group", host_id'
)


def is_counted(load: Load) -> bool:
    """Whether placing it looks at a group or changes one; else it needs no turn."""
    return bool(load.group or load.near or load.apart)


def groups_of(loads: Iterable[Load]) -> set[str]:
    """The groups that these loads belong to or look at."""
    named = {load.group for load in loads}
    named.update(company.group for load in loads for company in (*load.near, *load.apart))
    return named - {""}


def take_turn(groups: Iterable[str]) -> None:
    """Keep these groups for this transaction. On SQLite it holds the only write lock already."""
    if connection.vendor == "sqlite":
        return
    with connection.cursor() as cursor:
        # In one order for everybody. Two groups of one key wait for each other without need, and that is all.
        for key in sorted({_key(group) for group in groups}):
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])


def _key(group: str) -> int:
    digest = hashlib.blake2b(group.encode(), digest_size=8, person=b"placement group")
    return int.from_bytes(digest.digest(), "big", signed=True)


@dataclass(frozen=True)
class Counts:
    """Where the held placements of some groups are. hosts: group to host to number; labels: of those hosts."""

    hosts: Mapping[str, Counter[str]]
    labels: Mapping[str, Mapping[str, str]]

    @classmethod
    def read(cls, groups: Iterable[str]) -> Counts:
        """As the database has them now; two queries, none where no group is named."""
        if not (named := sorted(groups)):
            return cls({}, {})
        with connection.cursor() as cursor:
            cursor.execute(_HELD.format(names=", ".join(["%s"] * len(named))), named)
            rows = cursor.fetchall()
        known = Host.objects.only("id", "name", "labels").in_bulk({host for _, host, _ in rows})
        hosts: dict[str, Counter[str]] = {}
        for group, host, count in rows:
            hosts.setdefault(group, Counter())[known[host].name] += count
        return cls(hosts, {host.name: host.labels for host in known.values()})

    def by(self, group: str, level: str) -> dict[str, int]:
        """How many of the group each domain of the level holds; hosts without its label are in none."""
        total: Counter[str] = Counter()
        for host, count in self.hosts.get(group, {}).items():
            domain = host if level == HOST else self.labels[host].get(level)
            if domain is not None:
                total[domain] += count
        return dict(total)

    def fill(self, load: Load) -> Load:
        """The load with its counts filled in, where it states none."""
        spread = tuple(
            each if each.taken or not load.group else replace(each, taken=self.by(load.group, each.level))
            for each in load.spread
        )
        return replace(load, spread=spread, near=self._filled(load.near), apart=self._filled(load.apart))

    def _filled(self, companies: tuple[Company, ...]) -> tuple[Company, ...]:
        return tuple(
            each if each.found else replace(each, found=self.by(each.group, each.level)) for each in companies
        )
