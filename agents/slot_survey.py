"""What is where in a Redis or Valkey Cluster: runs of slots, how large each is and what it takes of its node.

Size: MEMORY USAGE of SAMPLED keys of each slot, and of more where a slot has more than the others, times its keys;
exact for slots that have no more.
Load: by CLUSTER SLOT-STATS where the server counts it (Valkey 8 with cluster-slot-stats-enabled, Redis 8.2), else what
the node takes, shared out among its slots by their keys. Which of the two is said. Both are rates over a window.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agents.commands import Refusal
from agents.redis_cluster import SLOTS, Cluster, Master

#: Of each slot at least, and of a node's slots on average: what one hash tag has may be as much as hundreds of slots,
#: and then a few of its keys would say how full the node is.
SAMPLED = 8
#: Of one slot at most: it is one answer, and the rest says little more.
MOST_SAMPLED = 1_000
SLOT_STATS, KEYS = "slot-stats", "keys"
#: More do not go into one answer.
MOST_RUNS = 2_000


Rates = tuple[float, float, float]


@dataclass(frozen=True)
class _Counted:
    """What a node has counted since it started: [cpu us, bytes in, bytes out], and the same by slot where it does.
    keys: by slot, of a server that says that with it."""

    node: Rates
    slots: dict[int, Rates] | None
    keys: dict[int, int] | None


async def survey(
    cluster: Cluster, every: int, cuts: Collection[int], window_s: float, clock: Callable[[], float]
) -> dict[str, Any]:
    """Runs begin at multiples of `every`, at `cuts` and where the owner changes.

    Answers {nodes: [[ip, port, hostname]], runs: [[first, last, node's number, keys, bytes, cpu us/s, bytes in/s, bytes
    out/s]], load_from: "slot-stats" or "keys", open: slots that are between two nodes}. Raises Refusal.
    """
    masters = [each for each in cluster.masters.values() if each.slots or each.answered]
    if silent := next((each for each in masters if not each.answered), None):
        raise Refusal(f"{silent} does not answer")
    began = clock()
    before = await asyncio.gather(*(_count(cluster, each) for each in masters))
    await asyncio.sleep(window_s)
    took_s = clock() - began
    after = await asyncio.gather(*(_count(cluster, each) for each in masters))
    keys = await asyncio.gather(
        *(_keys(cluster, master, said) for master, said in zip(masters, after, strict=True))
    )
    sizes = await asyncio.gather(
        *(_sizes(cluster, master, has) for master, has in zip(masters, keys, strict=True))
    )
    runs = []
    for number, master in enumerate(masters):
        loads = _loads(before[number], after[number], keys[number], took_s)
        for run in runs_of(master.slots, every, cuts):
            of_slot: list[Mapping[int, float]] = [keys[number], sizes[number], *loads]
            taken = [round(sum(each.get(slot, 0.0) for slot in run)) for each in of_slot]
            runs.append([run[0], run[-1], number, *taken])
    if len(runs) > MOST_RUNS:
        raise Refusal(
            f"{len(runs):,} runs of slots, more than {MOST_RUNS:,}; let the pool take more slots a shard"
        )
    counted = all(each.slots is not None for each, master in zip(after, masters, strict=True) if master.slots)
    return {
        "nodes": [[each.ip, each.port, each.hostname] for each in masters],
        "runs": sorted(runs),
        "load_from": SLOT_STATS if counted else KEYS,
        "open": sorted({slot for each in masters for slot in (*each.importing, *each.migrating)}),
    }


def runs_of(slots: Collection[int], every: int, cuts: Collection[int]) -> Iterator[list[int]]:
    """A node's slots as runs without a gap, begun anew at multiples of `every` and at cuts."""
    begins, run = set(cuts), list[int]()
    for slot in sorted(slots):
        if run and (slot != run[-1] + 1 or slot % every == 0 or slot in begins):
            yield run
            run = []
        run.append(slot)
    if run:
        yield run


async def size_of(cluster: Cluster, master: Master, slot: int) -> int:
    """Bytes of one slot. Raises Refusal."""
    count = await cluster.say(master, "CLUSTER", "COUNTKEYSINSLOT", slot)
    return (await _sizes(cluster, master, {slot: count})).get(slot, 0)


async def _sizes(cluster: Cluster, master: Master, has: Mapping[int, int]) -> dict[int, int]:
    """Bytes by slot. has: its keys, of those that have any."""
    wanted = sampled_of(has)
    keys = await cluster.say_all(
        master, [("CLUSTER", "GETKEYSINSLOT", slot, count) for slot, count in wanted.items()]
    )
    asked = [
        (slot, key) for slot, found in zip(has, keys, strict=True) if isinstance(found, list) for key in found
    ]
    said = await cluster.say_all(master, [("MEMORY", "USAGE", key) for _, key in asked])
    sampled: dict[int, list[int]] = {}
    for (slot, _), size in zip(asked, said, strict=True):
        if isinstance(size, int):
            sampled.setdefault(slot, []).append(size)
    return {slot: round(sum(each) * has[slot] / len(each)) for slot, each in sampled.items()}


def sampled_of(has: Mapping[int, int]) -> dict[int, int]:
    """How many keys to ask of each slot: its part of SAMPLED a slot, and SAMPLED in any case. has: its keys."""
    part = SAMPLED * len(has) / max(sum(has.values()), 1)
    return {slot: min(max(SAMPLED, math.ceil(part * count)), MOST_SAMPLED) for slot, count in has.items()}


async def _keys(cluster: Cluster, master: Master, counted: _Counted) -> dict[int, int]:
    """By slot, of those that have any."""
    has = counted.keys
    if has is None:
        slots = sorted(master.slots)
        said = await cluster.say_all(master, [("CLUSTER", "COUNTKEYSINSLOT", slot) for slot in slots])
        has = {slot: count for slot, count in zip(slots, said, strict=True) if isinstance(count, int)}
    return {slot: count for slot, count in has.items() if count}


async def _count(cluster: Cluster, master: Master) -> _Counted:
    info: dict[str, Any] = {}
    for section in ("cpu", "stats"):
        info |= await cluster.say(master, "INFO", section)
    cpu_s = sum(
        float(info.get(f"used_cpu_{kind}_main_thread", info[f"used_cpu_{kind}"])) for kind in ("user", "sys")
    )
    node = (1e6 * cpu_s, float(info["total_net_input_bytes"]), float(info["total_net_output_bytes"]))
    try:
        said = await cluster.say(master, "CLUSTER", "SLOT-STATS", "SLOTSRANGE", 0, SLOTS - 1)
    except Refusal:
        return _Counted(node, None, None)  # Servers before Valkey 8 and Redis 8.2 don't know it.
    stats = {slot: _pairs(each) for slot, each in said}
    keys = {slot: each["key-count"] for slot, each in stats.items()}
    if not all("cpu-usec" in each for each in stats.values()):
        return _Counted(node, None, keys)  # It is not told to count.
    names = ("cpu-usec", "network-bytes-in", "network-bytes-out")
    counted: dict[int, Rates] = {
        slot: (each[names[0]], each[names[1]], each[names[2]]) for slot, each in stats.items()
    }
    return _Counted(node, counted, keys)


def _pairs(said: Any) -> dict[str, int]:
    """A map, which is a list of names and values in turn before RESP3."""
    items = said.items() if isinstance(said, dict) else zip(said[::2], said[1::2], strict=True)
    return {name.decode() if isinstance(name, bytes) else name: int(value) for name, value in items}


def _loads(
    before: _Counted, after: _Counted, keys: Mapping[int, int], took_s: float
) -> list[dict[int, float]]:
    """Of each of cpu us/s, bytes in/s and bytes out/s: by slot."""
    if before.slots is not None and after.slots is not None:
        then = before.slots
        rates = {slot: _rates(then.get(slot, now), now, took_s) for slot, now in after.slots.items()}
    else:
        total, node = sum(keys.values()), _rates(before.node, after.node, took_s)
        rates = {slot: [each * count / total for each in node] for slot, count in keys.items()}
    return [{slot: each[which] for slot, each in rates.items()} for which in range(3)]


def _rates(before: Rates, after: Rates, took_s: float) -> list[float]:
    # A node that was started anew counts from 0.
    return [max(now - then, 0.0) / took_s for then, now in zip(before, after, strict=True)]
