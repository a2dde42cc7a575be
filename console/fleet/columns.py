"""The columns of the list of hosts. Their keys are what ?sort= and the live grid call them."""

from __future__ import annotations

import json
from collections.abc import Iterable

from console.lists.columns import Column
from console.live.frames import BARS

SHARES = tuple(
    Column(
        f"{bar}{suffix}", f"{bar.capitalize()} {word}", (f"{bar}_{word}",), number=True, wide=True, usual=False,
        hint=f"Share of the capacity that is {word}",
    )
    for word, suffix in (("used", ""), ("reserved", "_reserved"))
    for bar in BARS
)  # fmt: skip
COLUMNS = (
    Column("name", "Host", ("name",)),
    Column("state", "State", ("state",)),
    Column(
        "load",
        "Load",
        tuple(f"{bar}_{word}" for bar in BARS for word in ("used", "reserved")),
        hint="cpu, memory, disk, net",
    ),
    Column("worst", "Worst", ("worst_share",), number=True, hint="The largest used share of the four"),
    *SHARES,
    Column("address", "Address", ("address",), wide=True),
    Column("labels", "Labels", ("labels",), wide=True),
    Column("age", "Last report", ("report_age_s",), number=True),
)


def told(columns: Iterable[Column]) -> str:
    """What the live grid must know of its columns, as JSON."""
    keys = ("key", "title", "number", "wide", "hint")
    return json.dumps([{key: getattr(column, key) for key in keys} for column in columns])
