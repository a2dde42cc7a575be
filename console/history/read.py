"""Reading the past: one moment of all hosts, or a stretch of one host or of the cluster."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db.models import BinaryField, F, Func, Value

from console.history.models import Frame, Roster
from console.history.tiers import COARSE_WIDTH, Bytes, Tier, shown, tiers, wide
from console.live.frames import BARS, FULL, STATE_BITS, UNKNOWN

#: Points of one answer, about as many as a chart has pixels to tell apart.
MOST_POINTS = 750
KINDS = ("min", "p95", "max", "reserved")


@dataclass(frozen=True, eq=False)
class Moment:
    """All hosts at one time: table uint8[H, 10] in the roster's order, as live.frames has them."""

    at: datetime
    tier: str
    roster_id: int
    table: Bytes


def moment(at: datetime) -> Moment | None:
    """The frame nearest before a time, of the finest tier that has one close enough; None where nothing was kept."""
    for tier in tiers():
        # A frame stands for its step; one missed step more is still the same picture.
        near = Frame.objects.filter(tier=tier.name, at__lte=at, at__gt=at - 2 * tier.step).last()
        if near is not None:
            table = np.frombuffer(near.data, np.uint8).reshape(-1, tier.width)
            return Moment(near.at, tier.name, near.roster_id, shown(table))
    return None


def tier_for(begin: datetime, end: datetime, now: datetime) -> Tier:
    """The finest tier that reaches back to the beginning and does not need more points than are shown."""
    for tier in tiers():
        # "The last hour" was asked for a moment ago, and half a step less is still the hour.
        if begin >= now - tier.kept - tier.step and (end - begin) / tier.step <= MOST_POINTS:
            return tier
    return tiers()[-1]


def of_host(name: str, begin: datetime, end: datetime, now: datetime) -> dict[str, Any]:
    """A host's bars over a stretch: {step_s, begin, end, at[], state[], used: {bar: {min, p95, max, reserved}}}, shares
    of capacity, None where unknown; begin, end, at: seconds since 1970.

    O(frames): of each only the host's bytes are read.
    """
    tier = tier_for(begin, end, now)
    frames = Frame.objects.filter(tier=tier.name, at__gte=begin, at__lte=end)
    rows = {
        roster.pk: next((row for row, host in enumerate(roster.hosts) if host["name"] == name), None)
        for roster in Roster.objects.filter(pk__in=frames.order_by().values("roster"))
    }
    at: list[float] = []
    pieces: list[bytes] = []
    for roster, row in rows.items():
        if row is None:
            continue
        cut = Func(
            F("data"),
            Value(row * tier.width + 1),
            Value(tier.width),
            function="SUBSTR",
            output_field=BinaryField(),
        )
        for moment_, piece in frames.filter(roster=roster).annotate(piece=cut).values_list("at", "piece"):
            at.append(moment_.timestamp())
            pieces.append(bytes(piece))
    order = np.argsort(at)
    table = np.frombuffer(b"".join(pieces), np.uint8).reshape(-1, tier.width)[order]
    return _series(tier, begin, end, [at[each] for each in order], wide(table))


def of_cluster(begin: datetime, end: datetime, now: datetime) -> dict[str, Any]:
    """The same over all hosts: of each moment the least, the 95th of a hundred and the most of the hosts. O(frames):
    each has its summary beside it."""
    tier = tier_for(begin, end, now)
    found = Frame.objects.filter(tier=tier.name, at__gte=begin, at__lte=end).values_list("at", "summary")
    at = [moment_.timestamp() for moment_, _ in found]
    rows = b"".join(bytes(summary) for _, summary in found)
    table = np.frombuffer(rows, np.uint8).reshape(-1, COARSE_WIDTH)
    return _series(tier, begin, end, at, table)


def state_words(bits: int) -> list[str]:
    """The words of a state byte; [] is active."""
    return [word for word, bit in STATE_BITS.items() if bits & bit]


def _series(tier: Tier, begin: datetime, end: datetime, at: list[float], table: Bytes) -> dict[str, Any]:
    def shares(column: Bytes) -> list[float | None]:
        return [None if byte == UNKNOWN else byte / FULL for byte in column.tolist()]

    used = {
        bar: {kind: shares(table[:, 4 * place + number]) for place, kind in enumerate(KINDS)}
        for number, bar in enumerate(BARS)
    }
    step: timedelta = tier.step
    return {
        "tier": tier.name,
        "step_s": step.total_seconds(),
        "begin": begin.timestamp(),
        "end": end.timestamp(),
        "at": at,
        "state": table[:, 16].tolist(),
        "used": used,
    }
