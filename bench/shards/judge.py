"""The judge of B4's plans: recounts a plan from the cluster's document, and shares no code with the planner.

A plan is a list of (replica, source disk, target disk, starts_s, ends_s). While a replica moves it is on both disks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Move = tuple[str, str, str, float, float]


class Refused(Exception):
    """The plan breaks a rule at some moment."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """peaks: fullest over mean of gib, iops and net, of disks (net: of hosts) that are not drained. moved, share:
    GiB, and of all. on_drained: GiB that were there, and that are left."""

    peaks: dict[str, float]
    moved: float
    share: float
    moves: int
    on_drained: tuple[float, float]


def judge(
    cluster: dict[str, Any], moves: Sequence[Move], *, full: float, per_host: int, drained: str = ""
) -> Verdict:
    """What a plan comes to. full: no disk may take what leads above this share of it.

    Raises Refused with the first rule that it breaks.
    """
    disks = {each["disk"]: each for each in cluster["disks"]}
    replicas = {
        row[0]: dict(zip(cluster["replica_columns"], row, strict=True)) for row in cluster["replicas"]
    }
    at = {name: {row["disk"]} for name, row in replicas.items()}
    used: Counter[str] = Counter()
    domains: Counter[tuple[str, str]] = Counter()
    for row in replicas.values():
        used[row["disk"]] += row["gib"]
        domains[row["group"], disks[row["disk"]][row["apart_by"]]] += 1
    if max(domains.values()) > 1:
        raise Refused("the cluster itself breaks the rule of domains")
    before = sum(used[disk] for disk in disks if disks[disk]["host"] == drained)
    busy: Counter[str] = Counter()
    events = [(move[3], 1, number) for number, move in enumerate(moves)]
    events += [(move[4], 0, number) for number, move in enumerate(moves)]
    for _, begins, number in sorted(events):
        name, source, target = moves[number][:3]
        row = replicas[name]
        ends = {disks[source]["host"], disks[target]["host"]}
        there, here = (
            (row["group"], disks[target][row["apart_by"]]),
            (row["group"], disks[source][row["apart_by"]]),
        )
        if begins:
            if at[name] != {source} or source == target or disks[target]["host"] == drained:
                raise Refused(f"{name} can't go from {source} to {target}")
            domains[there] += there != here
            if domains[there] > 1:
                raise Refused(f"{name} would meet another of {row['group']} in {there[1]}")
            used[target] += row["gib"]
            if used[target] > full * disks[target]["gib"] * (1 + 1e-9):
                raise Refused(f"{target} would be {used[target] / disks[target]['gib']:.3f} full")
            at[name].add(target)
            busy.update(ends)
            if max(busy[host] for host in ends) > per_host:
                raise Refused(f"one of {sorted(ends)} takes part in more than {per_host} moves")
        else:
            domains[here] -= there != here
            used[source] -= row["gib"]
            at[name] = {target}
            busy.subtract(ends)
    return _verdict(cluster, replicas, at, moves, drained, before)


def _verdict(
    cluster: dict[str, Any], replicas: dict[str, dict[str, Any]], at: dict[str, set[str]],
    moves: Sequence[Move], drained: str, before: float,
) -> Verdict:  # fmt: skip
    disks = {each["disk"]: each for each in cluster["disks"]}
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    left = 0.0
    for name, places in at.items():
        (disk,) = places
        row, host = replicas[name], disks[disk]["host"]
        sums["gib"][disk] += row["gib"]
        sums["iops"][disk] += row["iops"]
        sums["net"][host] += row["net"]
        left += row["gib"] if host == drained else 0.0
    has = {
        "gib": {name: each["gib"] for name, each in disks.items() if each["host"] != drained},
        "iops": {name: each["iops"] for name, each in disks.items() if each["host"] != drained},
        "net": {each["host"]: each["net"] for each in cluster["hosts"] if each["host"] != drained},
    }
    peaks = {}
    for resource, capacity in has.items():
        mean = sum(sums[resource].values()) / sum(capacity.values())
        peaks[resource] = max(sums[resource][name] / amount for name, amount in capacity.items()) / mean
    moved = sum(replicas[move[0]]["gib"] for move in moves)
    total = sum(row["gib"] for row in replicas.values())
    return Verdict(peaks, moved, moved / total, len(moves), (before, left))
