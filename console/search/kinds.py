"""What is indexed: one line a kind, with where it is read from, when it has to be read again, and where its page is."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from django.db.models import Count, Max, QuerySet
from django.urls import reverse

from console.events.models import Event
from console.fleet.models import Host
from console.jobs.models import Job
from console.live.picture import picture
from console.pages.frame import PLACES
from console.placements.models import Decision, Placement
from console.search.shelf import Entry, Shelf
from console.storage.models import Shard, StoragePool
from console.traffic.models import Certificate, Endpoint, Service

#: Of what grows without end the newest; older ones are found by identity and in their lists.
MOST_OF_HISTORY = 3000
MOST_OF_ANY = 100_000
#: What was committed shortly before the newest may come to be seen after it: so far back is read again.
OVERLAP, OVERLAP_ROWS = timedelta(seconds=5), 200


@dataclass(frozen=True)
class Kind:
    """name: of one. path: from an entry's key to its page. read: the entries, in order.

    mark: changes whenever read() would say something else. by_length: see Shelf.
    newer: of what grows, the entries that came between two marks, in order; None where others went meanwhile.
    listed: the list that has all of them, and the parameter of its URL that looks for a text.
    """

    name: str
    path: Callable[[str], str]
    read: Callable[[], Sequence[Entry]]
    mark: Callable[[], Hashable]
    by_length: bool = True
    newer: Callable[[Any, Any], Sequence[Entry] | None] | None = None
    listed: tuple[str, str] | None = None

    def shelf(self) -> Shelf:
        return Shelf(self.read(), by_length=self.by_length)

    def shelf_after(self, shelf: Shelf, before: Hashable, now: Hashable) -> Shelf:
        """The shelf of the mark `now`, made of the one of the mark `before` where that is possible: reading what
        grows anew takes a tenth of a second, in which nobody else is answered well."""
        newer = self.newer(before, now) if self.newer and before else None
        if newer is None:
            return self.shelf()
        known = set(newer)
        entries = [*newer, *(entry for entry in shelf.entries if entry not in known)]
        return Shelf(entries[:MOST_OF_HISTORY], by_length=self.by_length)


def natural(name: str) -> list[Any]:
    """Sorts web-2 before web-10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d{1,18})", name)]


def _below(name: str) -> Callable[[str], str]:
    """The page of one thing, where its key is the last part of the path below its list."""

    def path(key: str) -> str:
        return f"{reverse(name)}{quote(key, safe='')}/"

    return path


def _endpoint_page(key: str) -> str:
    """Its row in the list of endpoints, where it is drained, closed and resumed."""
    service, _, at = key.partition(" ")
    return f"{reverse('endpoints')}?{urlencode({'service': service, 'host': at.rpartition(':')[0]})}"


def _said(labels: dict[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in labels.items())


def _places() -> list[Entry]:
    return [Entry(place.name, place.label, place.words) for place in PLACES]


def _hosts() -> list[Entry]:
    rows = Host.objects.order_by().values_list("name", "address", "labels")[:MOST_OF_ANY]
    return [
        Entry(name, name, f"{address} {_said(labels)}", f"{address} {_said(labels)}".strip())
        for name, address, labels in sorted(rows, key=lambda row: natural(row[0]))
    ]


def _services() -> list[Entry]:
    rows = Service.objects.values_list("name", "protocol", "listen_address", "listen_port")[:MOST_OF_ANY]
    return [
        Entry(name, name, where, where)
        for name, protocol, address, port in rows
        for where in [f"{protocol} {address}:{port}" if address else f"{protocol} pool"]
    ]


def _endpoints() -> list[Entry]:
    rows = Endpoint.objects.order_by("service__name", "host__name", "port")
    fields = ("service__name", "host__name", "host__address", "port", "state")
    return [
        Entry(
            f"{service} {host}:{port}", f"{host}:{port}", f"{service} {address}:{port}", f"{service}, {state}"
        )
        for service, host, address, port, state in rows.values_list(*fields)[:MOST_OF_ANY]
    ]


def _shards() -> list[Entry]:
    rows = Shard.objects.values_list("name", "source_host__name", "source_path", "replica_count")[
        :MOST_OF_ANY
    ]
    return [
        Entry(name, name, f"{host} {path}", f"{count} replicas, from {host}:{path}")
        for name, host, path, count in rows
    ]


def _storage_pools() -> list[Entry]:
    pools = StoragePool.objects.all()[:MOST_OF_ANY]
    return [
        Entry(
            pool.name,
            pool.name,
            f"{pool.kind} {pool.spread_level}",
            f"{pool.kept_as}, apart by {pool.spread_level}",
        )
        for pool in pools
    ]


def _certificates() -> list[Entry]:
    rows = Certificate.objects.values_list("name", "names")[:MOST_OF_ANY]
    return [Entry(name, name, " ".join(names), ", ".join(names)) for name, names in rows]


def _jobs(since: datetime | None = None) -> list[Entry]:
    jobs = Job.objects.filter(created_at__gte=since - OVERLAP) if since else Job.objects.all()
    rows = jobs.values_list("pk", "task", "created_at")[:MOST_OF_HISTORY]
    return [Entry(str(pk), task, str(pk), f"{str(pk)[:8]} of {at:%m-%d %H:%M}") for pk, task, at in rows]


def _decisions(since: datetime | None = None) -> list[Entry]:
    made = Decision.objects.filter(at__gte=since - OVERLAP) if since else Decision.objects.all()
    rows = made.values_list("pk", "name", "kind", "outcome", "host", "at")[:MOST_OF_HISTORY]
    return [
        Entry(str(pk), name, f"{kind} {outcome} {host} {pk}", f"{kind} {outcome} {host} {at:%m-%d %H:%M}")
        for pk, name, kind, outcome, host, at in rows
    ]


def _placements(since: datetime | None = None) -> list[Entry]:
    held = Placement.objects.filter(state=Placement.State.HELD).order_by("-decision__at")
    if since:
        held = held.filter(created_at__gt=since)
    rows = held.values_list("pk", "name", "kind", "host__name", "decision_id")[:MOST_OF_HISTORY]
    return [
        Entry(str(decision), name, f"{kind} {host} {pk}", f"{kind} held on {host}")
        for pk, name, kind, host, decision in rows
    ]


def _more_placements(before: tuple[int, datetime], now: tuple[int, datetime]) -> list[Entry] | None:
    """None where some were released meanwhile: which ones only a whole look says."""
    newer = _placements(before[1]) if before[1] else []
    return newer if before[0] + len(newer) == now[0] else None


def _events(since: int = 0) -> list[Entry]:
    rows = Event.objects.filter(pk__gt=max(since - OVERLAP_ROWS, 0))
    rows = rows.values_list("act", "action", "subject_kind", "subject", "actor", "at", "reason")
    return [
        Entry(str(act), f"{action} {subject}", f"{actor} {kind} {reason}", f"{actor}, {at:%m-%d %H:%M}")
        for act, action, kind, subject, actor, at, reason in rows[:MOST_OF_HISTORY]
    ]


def _count_and_last(rows: QuerySet[Any], column: str = "pk") -> Callable[[], Hashable]:
    """Changes when a row comes or goes: of tables that are small, or whose last key is enough. A key that is no
    number needs another column: PostgreSQL has no greatest uuid."""
    return lambda: tuple(rows.order_by().aggregate(count=Count("pk"), last=Max(column)).values())


def _as_kept() -> Hashable:
    """Pools are few and change in place, with no column that says when."""
    return tuple(StoragePool.objects.values_list("name", "data", "parity", "spread_level", "mover", "seed"))


def _newest(rows: QuerySet[Any], column: str) -> Callable[[], Hashable]:
    return lambda: rows.order_by().aggregate(last=Max(column))["last"]


KINDS = {
    kind.name: kind
    for kind in (
        Kind("page", reverse, _places, lambda: len(PLACES)),
        Kind("host", _below("hosts"), _hosts, lambda: picture.directory_version, listed=("hosts", "q")),
        Kind("service", _below("services"), _services, _count_and_last(Service.objects.all()),
             listed=("services", "q")),
        Kind("endpoint", _endpoint_page, _endpoints, _count_and_last(Endpoint.objects.all()),
             listed=("endpoints", "q")),
        Kind("shard", _below("shards"), _shards, _count_and_last(Shard.objects.all()), listed=("shards", "q")),
        Kind("storage-pool", _below("storage-pools"), _storage_pools, _as_kept),
        Kind("certificate", lambda _: reverse("certificates"), _certificates,
             _count_and_last(Certificate.objects.all())),
        Kind("job", _below("jobs"), _jobs, _newest(Job.objects.all(), "created_at"), by_length=False,
             newer=lambda before, _: _jobs(before), listed=("jobs", "task")),
        Kind("placement", _below("decisions"), _placements,
             _count_and_last(Placement.objects.filter(state=Placement.State.HELD), "created_at"), by_length=False,
             newer=_more_placements, listed=("placements", "name")),
        Kind("decision", _below("decisions"), _decisions, _newest(Decision.objects.all(), "at"), by_length=False,
             newer=lambda before, _: _decisions(before), listed=("decisions", "name")),
        Kind("event", lambda act: f"{reverse('events')}?act={act}", _events, _newest(Event.objects.all(), "id"),
             by_length=False, newer=lambda before, _: _events(before), listed=("events", "subject")),
    )
}  # fmt: skip
