"""The ledger's two moves: reserve and release. Each is one conditional statement, so the database decides races.

Both first touch the host's row, which locks it: two statements that change the same lines then never wait for each
other in a circle, and reserve() counts lines that nobody changes meanwhile; and those who follow hosts see by it that
these lines are to be read again. Whoever touches several hosts in one transaction locks them all before the first of
them, with lock(), in one order for everybody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cache

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Sum
from django.db.models.functions import Now

from console.fleet.models import Host
from console.placements.models import Ledger, Placement
from console.rows import places

# Sums of many floats drift in their last bits; a full host must not refuse its own capacity for that.
ROUNDING = 1e-9


def lock(host_ids: Iterable[int]) -> None:
    """Keep these hosts' lines for this transaction. On SQLite it holds the only write lock already."""
    if connection.vendor != "sqlite" and (ids := sorted(host_ids)):
        with connection.cursor() as cursor:
            # NO KEY: rows that only refer to the host may still be written by others.
            cursor.execute(
                "SELECT id FROM fleet_host WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [ids]
            )


def reserve(host_id: int, demand: Mapping[str, float]) -> bool:
    """Promise these amounts of the host inside the caller's transaction, all of them or none.

    False, with nothing written, where there is no room or the host takes nothing new.
    """
    _touch([host_id])
    wanted = {resource: amount for resource, amount in demand.items() if amount > 0}
    open_host = "SELECT 1 FROM fleet_host WHERE id = %s AND state = 'active' AND lost_since IS NULL"
    with connection.cursor() as cursor:
        if not wanted:
            cursor.execute(open_host, [host_id])
            return cursor.fetchone() is not None
        cases = " ".join("WHEN %s THEN %s" for _ in wanted)
        room = " OR ".join("(resource = %s AND reserved + %s <= capacity * %s)" for _ in wanted)
        enough = [value for name, amount in wanted.items() for value in (name, amount, 1 + ROUNDING)]
        cursor.execute(
            f"UPDATE placements_ledger SET reserved = reserved + CASE resource {cases} END"
            f" WHERE host_id = %s AND ({room}) AND EXISTS ({open_host})"
            f" AND (SELECT COUNT(*) FROM placements_ledger WHERE host_id = %s AND ({room})) = %s",
            [
                *(value for item in wanted.items() for value in item),
                host_id, *enough, host_id,
                host_id, *enough, len(wanted),
            ],
        )  # fmt: skip
        return bool(cursor.rowcount == len(wanted))


def release(given: Mapping[int, Mapping[str, float]]) -> None:
    """Give amounts back, by host. Never below zero: a line that would be is a rounding rest."""
    lines = [
        (amount, amount, host, resource)
        for host, amounts in sorted(given.items())
        for resource, amount in sorted(amounts.items())
        if amount > 0
    ]
    if not lines:
        return
    _touch(sorted({host for _, _, host, _ in lines}))
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE placements_ledger SET reserved = CASE WHEN reserved < %s THEN 0.0 ELSE reserved - %s END"
            " WHERE host_id = %s AND resource = %s",
            lines,
        )


def _touch(host_ids: Collection[int]) -> None:
    """What HostQuerySet.touch() does, composed once: it is done at each placement and each job's end."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE fleet_host SET changed_at = {_now()} WHERE id IN ({places(host_ids)})", host_ids
        )


@cache
def _now() -> str:
    """The database's clock, in its own words."""
    return str(Host.objects.all().query.get_compiler(DEFAULT_DB_ALIAS).compile(Now())[0])


def drift() -> dict[tuple[str, str], float]:
    """Where reserved differs from the sum of the held placements by more than rounding: {(host, resource): difference}.

    Empty unless a transaction was half applied, which no database here does; the audit asks it all the same.
    """
    promised: dict[tuple[str, str], float] = {}
    for host, demand in Placement.objects.filter(state=Placement.State.HELD).values_list(
        "host__name", "demand"
    ):
        for resource, amount in demand.items():
            promised[host, resource] = promised.get((host, resource), 0.0) + amount
    found = {}
    for host, resource, reserved, capacity in Ledger.objects.values_list(
        "host__name", "resource", "reserved", "capacity"
    ):
        difference = reserved - promised.pop((host, resource), 0.0)
        if abs(difference) > ROUNDING * max(capacity, reserved, 1.0) * 1000:
            found[host, resource] = difference
    return found | {line: -amount for line, amount in promised.items() if amount > 0}


def totals() -> dict[str, tuple[float, float]]:
    """Of the whole cluster: resource to (capacity, reserved)."""
    rows = Ledger.objects.values_list("resource").annotate(Sum("capacity"), Sum("reserved"))
    return {resource: (capacity, reserved) for resource, capacity, reserved in rows}
