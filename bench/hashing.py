"""B2.hash: picks by key, beside the package uhashring: how fast, how even, and what moves when members
change.

Twenty members, alike or five of them four times as heavy; every member is taken out once, and one is added.
max/mean is against each member's fair share; with 5,000 keys a member chance alone makes about 1.03 of it.
moved/needed counts keys that changed members against those that had to, so 1 is the minimum.
The peer's speed is its own get_node() in a loop over the keys, and ours is pick() in the same loop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from uhashring import HashRing

from balancer_core.pickers import BoundedLoad, Jump, Maglev, Members, Rendezvous, digests
from bench.figures import Compared
from bench.registry import Settings
from bench.results import Limit, Row, row

KEYS, KEYS_FAST = 100_000, 2_000
EQUAL = {f"host-{number}": 1 for number in range(20)}
MIXED = {f"host-{number}": 4 if number < 5 else 1 for number in range(20)}
ADDED = "host-20"
PEER = "uhashring (ketama)"
PACKAGES = ("uhashring", "numpy")

#: 5 % above the fair share: the bound of the published comparisons.
SLACK = 0.05

Pick = Callable[[str], str]
Build = Callable[[Mapping[str, int]], tuple[Pick, Callable[[Sequence[str]], NDArray[np.str_]]]]


@dataclass(frozen=True, slots=True)
class Measured:
    """One picker over one set of members.

    Ratios of moved to needed keys: 1 is the minimum, below it cannot be.
    """

    keys_per_s: list[float]
    max_mean: float
    removed: float
    added: float


async def run(settings: Settings) -> list[Row]:
    """The rows of every picker, and a table of them all."""
    keys = [f"session-{number}" for number in range(settings.pick(KEYS, KEYS_FAST))]
    found: dict[str, dict[str, Measured]] = {}
    for kind, weights in (("equal", EQUAL), ("mixed", MIXED)):
        settings.say(f"  {len(keys):,} keys, {len(weights)} members, {kind}")
        found[kind] = _measured(weights, keys, settings.rounds)
    _show(found)
    rows = []
    for kind, pickers in found.items():
        peer = pickers["uhashring"]
        note = f"{len(keys):,} keys over 20 members of {kind} weight, one pick a call"
        for name, ours in pickers.items():
            if name != "uhashring":
                rows += _rows(f"B2.hash.{name}.{kind}", ours, peer, note)
    return rows


def _measured(weights: Mapping[str, int], keys: Sequence[str], rounds: int) -> dict[str, Measured]:
    builds: dict[str, Build] = {
        "uhashring": _ring,
        "rendezvous": _rendezvous,
        "maglev": _maglev,
        "bounded": _bounded,
    }
    if len(set(weights.values())) == 1:
        builds["jump"] = _jump
    rates: dict[str, list[float]] = {name: [] for name in builds}
    picks = {name: build(weights)[0] for name, build in builds.items()}
    for _ in range(rounds):
        for name, pick in picks.items():  # In turn, so that what disturbs one disturbs all.
            started = time.perf_counter()
            for key in keys:
                pick(key)
            rates[name].append(len(keys) / (time.perf_counter() - started))
    return {name: _steadiness(build, weights, keys, rates[name]) for name, build in builds.items()}


def _steadiness(
    build: Build, weights: Mapping[str, int], keys: Sequence[str], rates: list[float]
) -> Measured:
    before = build(weights)[1](keys)
    total = sum(weights.values())
    counts = {name: int((before == name).sum()) for name in weights}
    uneven = max(count * total / (len(keys) * weights[name]) for name, count in counts.items())
    moved = needed = 0
    # Jump can only lose its last member.
    for gone in list(weights)[-1:] if build is _jump else weights:
        after = build({name: weight for name, weight in weights.items() if name != gone})[1](keys)
        moved += int((before != after).sum())
        needed += counts[gone]
    grown = build({**weights, ADDED: 1})[1](keys)
    came = int((grown == ADDED).sum())
    return Measured(rates, uneven, moved / needed, int((before != grown).sum()) / came)


def _rendezvous(weights: Mapping[str, int]) -> tuple[Pick, Callable[[Sequence[str]], NDArray[np.str_]]]:
    picker = Rendezvous(Members(weights))
    return picker.pick, lambda keys: np.array(picker.members.names)[picker.rows(digests(keys))]


def _maglev(weights: Mapping[str, int]) -> tuple[Pick, Callable[[Sequence[str]], NDArray[np.str_]]]:
    picker = Maglev(Members(weights))
    return picker.pick, lambda keys: np.array(picker.members.names)[picker.rows(digests(keys))]


def _bounded(weights: Mapping[str, int]) -> tuple[Pick, Callable[[Sequence[str]], NDArray[np.str_]]]:
    """Steadiness is that of all keys held at once; a pick is against members that hold a little."""
    picker = BoundedLoad(Members(weights), SLACK)
    loads = np.array([10 * weight for weight in weights.values()], dtype=np.int64)
    return (
        lambda key: picker.pick(key, loads),
        lambda keys: np.array(picker.members.names)[picker.rows(digests(keys))],
    )


def _jump(weights: Mapping[str, int]) -> tuple[Pick, Callable[[Sequence[str]], NDArray[np.str_]]]:
    names = list(weights)
    picker = Jump(len(names))
    return lambda key: names[picker.pick(key)], lambda keys: np.array(names)[picker.rows(digests(keys))]


def _ring(weights: Mapping[str, int]) -> tuple[Pick, Callable[[Sequence[str]], NDArray[np.str_]]]:
    ring = HashRing(nodes=dict(weights))
    return ring.get_node, lambda keys: np.array([ring.get_node(key) for key in keys])


def _rows(identity: str, ours: Measured, peer: Measured, note: str) -> list[Row]:
    def compared(mine: Sequence[float], theirs: Sequence[float], unit: str, ending: str, limit: Limit) -> Row:
        figures = Compared.of(mine, theirs)
        return row(f"{identity}.{ending}", figures, unit, limit, peer=PEER, packages=PACKAGES, note=note)

    speed = Limit("one call from Python: str to hash, and the name back")
    chance = Limit("chance, at these few keys a member")
    least = Limit("1, the keys that have to move")
    return [
        compared(ours.keys_per_s, peer.keys_per_s, "keys/s", "rate", speed),
        compared([ours.max_mean], [peer.max_mean], "max/mean", "balance", chance),
        compared([ours.removed], [peer.removed], "moved/needed", "remove", least),
        compared([ours.added], [peer.added], "moved/needed", "add", least),
    ]


def _show(found: Mapping[str, Mapping[str, Measured]]) -> None:
    table = Table(box=None, pad_edge=False, title="20 members", title_justify="left")
    for heading in ("weights", "picker", "keys/s", "max/mean", "moved/needed, one gone", "one added"):
        table.add_column(heading, justify="left" if heading in ("weights", "picker") else "right")
    for kind, pickers in found.items():
        for name, each in pickers.items():
            rate = sorted(each.keys_per_s)[len(each.keys_per_s) // 2]
            table.add_row(
                kind, name, f"{rate:,.0f}", *(f"{x:.3f}" for x in (each.max_mean, each.removed, each.added))
            )
    Console(width=110).print(table)
