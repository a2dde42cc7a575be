"""The order of a list of hosts: ?sort=KEY, or ?sort=-KEY from the other end.

All but names is ordered by what browsers are sent, byte by byte, so that the page and the live grid
(static/js/grid-order.js) agree; ties by name, and what is unknown last from either end.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from django.db.models import QuerySet

from console.fleet.models import Host
from console.live.frames import BARS, STATE_BITS, UNKNOWN, Columns, columns_of
from console.live.picture import picture

#: Hosts read at a time where all of them are asked for.
CHUNK = 500
#: From what is well to what needs a look.
RANKS = ("cordoned", "draining", "silent", "lost")
_OLDEST = 255


class InOrder:
    """Hosts in the order of their names here, read from the database as they are asked for."""

    def __init__(self, found: QuerySet[Host], names: list[str]) -> None:
        self._found = found
        self._names = names

    def __getitem__(self, part: slice) -> list[Host]:
        names = self._names[part]
        read = {host.name: host for host in self._found.filter(name__in=names)}
        return [read[name] for name in names if name in read]

    def __iter__(self) -> Iterator[Host]:
        for start in range(0, len(self._names), CHUNK):
            yield from self[start : start + CHUNK]


def ordered(found: QuerySet[Host], sort: str) -> QuerySet[Host] | InOrder:
    """The hosts as ?sort= says; by name for none, and for what is no column."""
    key, descending = sort.removeprefix("-"), sort.startswith("-")
    if key == "name":
        return found.order_by("-name" if descending else "name")
    values = _values(key)
    if values is None:
        return found
    # All of them are known already; reading ten thousand names takes half as long as all else that the page needs.
    narrowed = found.query.has_filters()
    names = (
        list(found.order_by("name").values_list("name", flat=True)) if narrowed else sorted(picture.names())
    )
    known = sorted((name for name in names if name in values), key=values.__getitem__, reverse=descending)
    return InOrder(found, known + [name for name in names if name not in values])


def _values(key: str) -> Mapping[str, Any] | None:
    """What hosts are ordered by, where it is known; None for what is no column."""
    if key == "labels":
        return {name: _said(labels) for name, labels in picture.labels().items()}
    if key == "address":
        return {name: naturally(address) for name, address in picture.addresses().items()}
    now = time.monotonic()
    names, columns = picture.names(), columns_of(picture, now)
    column = _column(key, columns, now)
    if column is None:
        return None
    return {name: value for name, value in zip(names, column, strict=False) if value is not None}


def _column(key: str, columns: Columns, now: float) -> list[int | None] | None:
    if key == "state":
        weights = [max((RANKS.index(word) + 1 for word, bit in STATE_BITS.items() if bits & bit), default=0)
                   for bits in range(16)]  # fmt: skip
        return [weights[bits] for bits in columns.state.tolist()]
    if key == "age":
        age = np.where(np.isfinite(columns.reported_at), now - columns.reported_at, _OLDEST)
        return [int(each) for each in np.clip(age, 0, _OLDEST).tolist()]
    bar, _, kind = key.partition("_")
    if key in ("worst", "load") or (bar in BARS and kind in ("", "reserved")):
        shares = columns.reserved if kind else columns.used
        known = shares != UNKNOWN
        if not kind:
            known &= ((columns.state & STATE_BITS["silent"]) == 0)[:, None]
        levels = np.where(known, shares.astype(np.int64), -1)
        level = levels.max(axis=1) if key in ("worst", "load") else levels[:, list(BARS).index(bar)]
        return [None if each < 0 else each for each in level.tolist()]
    return None


def naturally(text: str) -> str:
    """A key that puts numbers in a text in the order of numbers."""
    return re.sub(r"\d+", lambda found: found[0].zfill(12), text)


def _said(labels: Mapping[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in labels.items())
