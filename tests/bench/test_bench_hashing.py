"""The benchmark of picks by key: every figure is there, and what chance does not touch is as it must be."""

from __future__ import annotations

from bench.hashing import run
from bench.registry import Settings


async def test_a_fast_run_has_every_row_and_rendezvous_moves_the_minimum() -> None:
    """Seven pickers by four figures; speeds above 0, nothing below the minimum of moved keys."""
    rows = {row.id: row for row in await run(Settings(fast=True, say=lambda line: None))}
    assert {f"B2.hash.maglev.mixed.{each}" for each in ("rate", "balance", "remove", "add")} <= rows.keys()
    assert 28 == len(rows)
    moved = {name: row.ours for name, row in rows.items() if name.endswith((".remove", ".add"))}
    assert all(ratio >= 1.0 for ratio in moved.values())
    assert {1.0} == {ratio for name, ratio in moved.items() if "rendezvous" in name or "jump" in name}
    assert all(row.ours > 0 and row.peer_value for name, row in rows.items() if name.endswith(".rate"))
    assert rows["B2.hash.bounded.mixed.balance"].ours <= 1.06
