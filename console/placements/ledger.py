"""The ledger's two moves: reserve and release. Both are one conditional statement, so the database decides races."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import connection
from django.db.models import Sum

from console.placements.models import Ledger, Placement

# Sums of many floats drift in their last bits; a full host must not refuse its own capacity for that.
ROUNDING = 1e-9


def reserve(host_id: int, demand: Mapping[str, float], *, cordoned_too: bool = False) -> bool:
    """Promise these amounts of the host, all or none. False where there is no room or the host takes nothing new.

    Runs inside the caller's transaction: on False the caller must roll back,
    because some of the lines may have been written.
    """
    wanted = {resource: amount for resource, amount in demand.items() if amount > 0}
    guard = "" if cordoned_too else " AND state = 'active' AND lost_since IS NULL"
    with connection.cursor() as cursor:
        if not wanted:
            cursor.execute(f"SELECT 1 FROM fleet_host WHERE id = %s{guard}", [host_id])
            return cursor.fetchone() is not None
        cases = " ".join("WHEN %s THEN %s" for _ in wanted)
        room = " OR ".join("(resource = %s AND reserved + %s <= capacity * %s)" for _ in wanted)
        cursor.execute(
            f"UPDATE placements_ledger SET reserved = reserved + CASE resource {cases} END"
            f" WHERE host_id = %s AND ({room})"
            f" AND EXISTS (SELECT 1 FROM fleet_host WHERE id = %s{guard})",
            [
                *(value for item in wanted.items() for value in item),
                host_id,
                *(value for name, amount in wanted.items() for value in (name, amount, 1 + ROUNDING)),
                host_id,
            ],
        )
        return bool(cursor.rowcount == len(wanted))


def release(host_id: int, demand: Mapping[str, float]) -> None:
    """Give the amounts back. Never below zero: a line that would be is a rounding rest."""
    with connection.cursor() as cursor:
        for resource, amount in demand.items():
            if amount > 0:
                cursor.execute(
                    "UPDATE placements_ledger"
                    " SET reserved = CASE WHEN reserved < %s THEN 0.0 ELSE reserved - %s END"
                    " WHERE host_id = %s AND resource = %s",
                    [amount, amount, host_id, resource],
                )


def drift() -> dict[tuple[str, str], float]:
    """Where reserved differs from the sum of the held placements by more than rounding: {(host, resource): difference}.

    Empty unless a transaction was half applied, which no database here does; the audit asks it all the same.
    """
    promised: dict[tuple[str, str], float] = {}
    for host, demand in Placement.objects.filter(state=Placement.State.HELD).values_list("host__name", "demand"):
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
