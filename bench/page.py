"""The page that shows every kept figure beside its peer, with the command that made it: docs/bench/README.md."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bench import curves
from bench.shards import frontier_picture
from bench.table import amount, bound

#: The pictures of many rows at once.
MANY = (curves, frontier_picture)
HEAD = """# Figures

Made from `bench/results.json` by every `make bench`; what a row means is in [bench/README.md](../../bench/README.md).
Medians of the rounds; the ratio is ours / peer's, of rounds taken in turn. A row that is outside its limit says so.
"""

TABLE = """
| id | ours | peer's | ratio | unit | limit | inside | beside | command |
|---|---|---|---|---|---|---|---|---|
"""


def page(rows: Iterable[dict[str, Any]]) -> str:
    """Markdown: the pictures of many rows, where there are such rows, then a line a row."""
    rows = list(rows)
    pictures = "".join(f"\n![{many.SHOWS}]({many.NAME}.svg)\n" for many in MANY if many.draw(rows))
    return HEAD + pictures + TABLE + "".join(_line(row) for row in rows)


def _line(row: dict[str, Any]) -> str:
    room = row["limit"].get("room")
    cells = (
        f"[{row['id']}]({row['id']}.svg)",
        amount(row["ours"]),
        amount(row["peer_value"]),
        amount(row["ratio"]),
        row["unit"],
        bound(row["limit"]),
        "" if room is None else "yes" if room >= 0 else f"**no** ({room:+.0%})",
        row["peer"] or "",
        f"`{row['command']}`",
    )
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |\n"
