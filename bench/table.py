"""The table that `make bench` prints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

NUMBERS = ("ours", "peer's", "ratio", "limit", "room")


def table(rows: Iterable[dict[str, Any]]) -> Table:
    """Our figure, the peer's, their ratio, and how far from the limit; the rounds' range in brackets."""
    made = Table(box=None, pad_edge=False)
    for name in ("id", "ours", "peer's", "ratio", "unit", "limit", "room", "peer"):
        made.add_column(name, justify="right" if name in NUMBERS else "left", overflow="fold")
    for each in rows:
        spread = each["spread"]
        made.add_row(
            each["id"] + (" (fast)" if each["fast"] else ""),
            _with_range(each["ours"], spread.get("ours")),
            _with_range(each["peer_value"], spread.get("peer")),
            _with_range(each["ratio"], spread.get("ratio")),
            each["unit"],
            bound(each["limit"]),
            _room(each["limit"].get("room")),
            each["peer"] or "",
        )
    return made


def show(rows: Iterable[dict[str, Any]], console: Console | None = None) -> None:
    """Print it, and below it what the rows have to say beyond figures."""
    rows = list(rows)
    out = console or Console(width=180, highlight=False)
    out.print(table(rows))
    for each in rows:
        if each["note"]:
            out.print(f"{each['id']}: {each['note']}", markup=False)


def amount(value: float | None) -> str:
    """A figure for people: four digits, thousands apart."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _with_range(value: float | None, spread: list[float] | None) -> str:
    if value is None or spread is None or spread[0] == spread[1]:
        return amount(value)
    return f"{amount(value)} [{amount(spread[0])} .. {amount(spread[1])}]"


def bound(limit: dict[str, Any]) -> str:
    """ratio >= 0.5, <= 35; nothing where what bounds a figure has no number."""
    if limit.get("least") is not None:
        bound = f">= {amount(limit['least'])}"
    elif limit.get("most") is not None:
        bound = f"<= {amount(limit['most'])}"
    else:
        return ""
    return bound if limit["of"] == "ours" else f"{limit['of']} {bound}"


def _room(share: float | None) -> str:
    """+24 %: that far inside the limit; -10 %: that far outside."""
    return "" if share is None else f"{share:+.0%}"
