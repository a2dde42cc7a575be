"""What the database says of hosts and their ledgers, read a little at a time.

The picture asks every second and at every bell. At ten thousand hosts the whole is seventy thousand rows, nearly all of
them as they were. So after the first look only those hosts are read that changed since the last one, by the moment that
every change leaves on its host (fleet.models.Host.changed_at). A transaction is seen when it ends, with the moments of
its statements: each look goes back OVERLAP_S further than the last one. What is changed behind all that, by hand in the
database, is found by reading a few of the others as well, in turn.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import connection

from console.rows import places, read

#: Longer than a transaction that changes hosts should take; what one that takes longer changed is found in turn.
OVERLAP_S = 5.0
#: Hosts that are read in turn, at each look, whether they changed or not.
IN_TURN = 50
#: In one statement, fewer than any database's most parameters.
TOGETHER = 5000

# Plain SQL: composing the queries would take several times as long as answering them.

_HOSTS = "SELECT id, name, address, CAST(labels AS text), state, lost_since FROM fleet_host"
_LINES = "SELECT host_id, resource, capacity, reserved FROM placements_ledger"
#: So many seconds before now, on the database's clock.
_SINCE = {
    "sqlite": "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW', (-%s) || ' seconds')",
    "postgresql": "STATEMENT_TIMESTAMP() - make_interval(secs => %s)",
}

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
class Look:
    """What one look found. lines: of each of the hosts. names: of all hosts that there are."""

    hosts: list[HostRow]
    lines: dict[int, dict[str, tuple[float, float]]]
    names: set[str]

    def resources(self) -> set[str]:
        return {resource for lines in self.lines.values() for resource in lines}


class Intent:
    """Who follows the database. Not for several threads at once."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        self._looked_at = -math.inf
        self._turn = 0

    def look(self, again: Collection[str] = ()) -> Look:
        """The hosts that changed since the last look, those with these names, and the next ones in turn.

        The first one reads all. One that fails changes nothing here.
        """
        if not self._names:
            return self.whole()
        now = time.monotonic()
        since_s = now - self._looked_at + OVERLAP_S
        turn = _hosts("WHERE id > %s ORDER BY id LIMIT %s", [self._turn, IN_TURN])
        changed = _hosts(f"WHERE changed_at > {_SINCE[connection.vendor]}", [since_s])
        rows = {row.pk: row for row in (*turn, *changed, *_named(again))}
        names = self._names | {row.pk: row.name for row in rows.values()}
        if read("SELECT COUNT(*) FROM fleet_host") != [(len(names),)]:
            there = {pk for (pk,) in read("SELECT id FROM fleet_host")}
            names = {pk: name for pk, name in names.items() if pk in there}
        hosts = [row for _, row in sorted(rows.items()) if row.pk in names]
        found = Look(hosts, _by_host(hosts, _lines(rows)), set(names.values()))
        self._turn = turn[-1].pk if len(turn) == IN_TURN else 0
        self._names, self._looked_at = names, now
        return found

    def whole(self) -> Look:
        """All hosts, as at the first look."""
        now = time.monotonic()
        hosts = _hosts("ORDER BY id")
        names = {row.pk: row.name for row in hosts}
        found = Look(hosts, _by_host(hosts, _lines()), set(names.values()))
        self._names, self._looked_at = names, now
        return found


def _by_host(
    hosts: Iterable[HostRow], lines: Iterable[tuple[Any, ...]]
) -> dict[int, dict[str, tuple[float, float]]]:
    by_host: dict[int, dict[str, tuple[float, float]]] = {row.pk: {} for row in hosts}
    for pk, resource, capacity, reserved in lines:
        if pk in by_host:
            by_host[pk][resource] = (capacity, reserved)
    return by_host


def _hosts(which: str, values: Sequence[Any] = ()) -> list[HostRow]:
    return list(map(HostRow._make, read(f"{_HOSTS} {which}", values)))


def _named(names: Iterable[str]) -> list[HostRow]:
    return [row for some in _parts(names) for row in _hosts(f"WHERE name IN ({places(some)})", some)]


def _lines(hosts: Iterable[int] | None = None) -> list[tuple[Any, ...]]:
    """Ledger lines of these hosts, or of all, in the order in which they were made."""
    if hosts is None:
        return read(f"{_LINES} ORDER BY id")
    return [
        line
        for some in _parts(hosts)
        for line in read(f"{_LINES} WHERE host_id IN ({places(some)}) ORDER BY id", some)
    ]


def _parts(keys: Iterable[Any]) -> Iterable[list[Any]]:
    ordered = sorted(keys)
    return (ordered[start : start + TOGETHER] for start in range(0, len(ordered), TOGETHER))
