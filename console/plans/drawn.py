"""A plan's before and after as pictures: hosts by load in ten columns, and a tile for each host while they are few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from balancer_core.whatif import HostLoad

#: More tiles than this are no picture any more, and a hundred kilobytes; the columns tell it then.
MOST_TILES = 400
COLUMNS = 10
#: Hosts named as those that change most.
MOST_NAMED = 12


@dataclass(frozen=True)
class Column:
    """Hosts with a load in this tenth; the last one has everything above too. height: per cent of the highest."""

    label: str
    count: int
    height: float
    x: int
    y: float
    ramp: int


@dataclass(frozen=True)
class Tile:
    """x, y: its place. ramp: 0 to 5 by load, None for a host that is empty, gone or not there yet. changed: whether
    its load would be another."""

    host: str
    x: int
    y: int
    ramp: int | None
    changed: bool


@dataclass(frozen=True)
class Side:
    """One of both pictures. wide, rows: of tiles."""

    columns: list[Column]
    tiles: list[Tile]
    wide: int
    rows: int


def sides(hosts: Sequence[HostLoad]) -> tuple[Side, Side]:
    """Before and after, on one scale."""
    counts = [_counts([each[side] for each in hosts if each[side] is not None]) for side in (1, 2)]
    highest = max((count for side in counts for count in side), default=0) or 1
    drawn = []
    wide = 25 if len(hosts) > 60 else 12
    for side, counted in zip((1, 2), counts, strict=True):
        tiles = (
            []
            if len(hosts) > MOST_TILES
            else [
                Tile(
                    each.host,
                    place % wide,
                    place // wide,
                    None if each[side] is None else _ramp(each[side]),
                    _differs(each),
                )
                for place, each in enumerate(hosts)
            ]
        )
        columns = [
            Column(
                f"{place * 10} to {place * 10 + 10} %" if place < COLUMNS - 1 else "90 % and above",
                count,
                round(count / highest * 100, 2),
                place * 10,
                round(100 - count / highest * 100, 2),
                _ramp(place / COLUMNS + 0.05),
            )
            for place, count in enumerate(counted)
        ]
        drawn.append(Side(columns, tiles, wide, -(-len(tiles) // wide)))
    return drawn[0], drawn[1]


def changed_most(hosts: Sequence[HostLoad]) -> list[HostLoad]:
    """Those whose load would change most, a host that would be empty or new by all of its load."""
    changed = [each for each in hosts if _differs(each)]
    return sorted(changed, key=lambda each: -abs((each.after or 0.0) - (each.before or 0.0)))[:MOST_NAMED]


def _differs(each: HostLoad) -> bool:
    if each.before is None or each.after is None:
        return True
    return abs(each.before - each.after) > 1e-9


def _counts(loads: Sequence[float]) -> list[int]:
    counts = [0] * COLUMNS
    for load in loads:
        counts[min(int(load * COLUMNS), COLUMNS - 1)] += 1
    return counts


def _ramp(load: float) -> int:
    return min(int(load * 6), 5)
