"""What the database says of hosts and their ledgers, and which of them it says something new of.

The picture asks every second. At ten thousand hosts that is seventy thousand rows, nearly all as before: they are read
as the database's own tuples, which costs a third of what Django makes of them, and compared, and only what differs is
looked at further.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from console.fleet.models import Host
from console.placements.models import Ledger

#: Resource to (capacity, reserved).
Lines = Mapping[str, tuple[float, float]]


class HostRow(NamedTuple):
    """One row of hosts. labels: JSON, as it stands in the database."""

    pk: int
    name: str
    address: str
    labels: str
    state: str
    lost_since: Any  # None, or what this database makes of a moment

    def labelled(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.labels)
        return found


@dataclass(frozen=True)
class Intent:
    """One look at the database."""

    hosts: list[HostRow] = field(default_factory=list)
    ledger: list[tuple[int, str, float, float]] = field(default_factory=list)

    @classmethod
    def read(cls) -> Intent:
        rows = Host.objects.annotate(said=Cast("labels", TextField())).values_list(
            "pk", "name", "address", "said", "state", "lost_since"
        )
        ledger = Ledger.objects.order_by("pk").values_list("host_id", "resource", "capacity", "reserved")
        return cls(list(map(HostRow._make, _rows(rows))), _rows(ledger))

    def since(self, before: Intent) -> set[int]:
        """Keys of the hosts of which something differs; of those, too, that are gone."""
        return _differing(self.hosts, before.hosts) | _differing(self.ledger, before.ledger)

    def lines_of(self, hosts: Iterable[int]) -> dict[int, dict[str, tuple[float, float]]]:
        """The ledgers of these hosts."""
        found: dict[int, dict[str, tuple[float, float]]] = {pk: {} for pk in hosts}
        for pk, resource, capacity, reserved in self.ledger if found else ():
            if pk in found:
                found[pk][resource] = (capacity, reserved)
        return found

    def resources(self) -> set[str]:
        return {line[1] for line in self.ledger}


def _rows(queryset: QuerySet[Any]) -> list[tuple[Any, ...]]:
    """The rows as they come over the connection."""
    with connection.cursor() as cursor:
        cursor.execute(*queryset.query.sql_with_params())
        return cursor.fetchall()  # type: ignore[no-any-return]


def _differing(now: list[Any], before: list[Any]) -> set[int]:
    """First fields of the rows that are not in both."""
    if now == before:
        return set()
    if len(now) == len(before):
        return {row[0] for pair in zip(now, before, strict=True) if pair[0] != pair[1] for row in pair}
    return {row[0] for row in set(now) ^ set(before)}
