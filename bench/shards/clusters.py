"""Clusters for B4: the measured one where its file is there, and one made here, of any size."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from balancer_core.shards import Resource, Shards
from bench.results import ROOT

FILE = "shards/shards_322_disks.json.gz"
SEED = 7
#: No disk is filled above this by a move.
FULL = 0.95


def measured() -> dict[str, Any] | None:
    """The cluster that the peers were measured on (322 disks); None where the traces are not there."""
    file = Path(os.environ.get("STEELYARD_TRACES") or ROOT.parent / "shared/traces") / FILE
    if not file.is_file():
        return None
    found: dict[str, Any] = json.loads(gzip.decompress(file.read_bytes()))
    return found


def synthetic(hosts: int, shards: int, copies: int = 1) -> dict[str, Any]:
    """A cluster in the same form: one disk a host, of three sizes, 65 % full, in racks of 40.

    Replicas lie where weighted chance put them, each of a shard in another rack; sizes are lognormal (sigma 0.5)
    and loads more so (sigma 1.2). The same arguments give the same cluster.
    """
    rng = np.random.default_rng(SEED)
    gib = rng.choice([4000.0, 8000.0, 16000.0], size=hosts)
    rack = np.arange(hosts) % max(copies + 1, hosts // 40)
    sizes = np.repeat(rng.lognormal(0.0, 0.5, shards), copies)
    sizes *= 0.65 * gib.sum() / sizes.sum()
    iops, net = rng.lognormal(0.0, 1.2, shards * copies), rng.lognormal(0.0, 1.2, shards * copies)
    iops, net = iops * 0.5 * hosts / iops.sum(), net * 0.4 * hosts / net.sum()
    weight, placed = np.cumsum(gib / gib.sum()), []
    for shard in range(shards):
        taken: set[int] = set()
        while len(taken) < copies:
            disk = int(np.searchsorted(weight, rng.random()))
            disk = min(disk, hosts - 1)
            if rack[disk] not in taken:
                taken.add(int(rack[disk]))
                placed.append((shard, disk))
    return {
        "disks": [
            {"disk": f"o{n}", "host": f"h{n}", "rack": f"r{rack[n]}", "gib": float(gib[n]), "iops": 1.0}
            for n in range(hosts)
        ],
        "hosts": [{"host": f"h{n}", "net": 1.0} for n in range(hosts)],
        "replica_columns": ["replica", "group", "leader", "apart_by", "gib", "iops", "net", "disk"],
        "replicas": [
            [f"s{n}", f"g{shard}", int(n % copies == 0), "rack", float(sizes[n]), float(iops[n]), float(net[n]),
             f"o{disk}"]
            for n, (shard, disk) in enumerate(placed)
        ],
    }  # fmt: skip


def posed(cluster: dict[str, Any], drained: str = "") -> Shards:
    """The cluster in the core's words: bytes, operations of disks, network of hosts."""
    disks, rows = cluster["disks"], cluster["replicas"]
    host_of = {each["host"]: number for number, each in enumerate(cluster["hosts"])}
    disk_of = {each["disk"]: number for number, each in enumerate(disks)}
    racks = {name: number for number, name in enumerate(sorted({each["rack"] for each in disks}))}
    groups: dict[str, int] = {}
    apart: dict[int, int] = {}
    for row in rows:
        apart[groups.setdefault(row[1], len(groups))] = ("host", "rack").index(row[3])
    host = np.array([host_of[each["host"]] for each in disks], dtype=np.int32)
    own, gone = np.arange(len(disks), dtype=np.int32), np.array([each["host"] == drained for each in disks])

    def resource(name: str, node: Any, capacity: list[float], ceiling: float | None = None) -> Resource:
        return Resource(name, node, np.array(capacity), np.zeros(len(capacity)), ceiling)

    return Shards(
        resources=(
            resource("bytes", own, [each["gib"] for each in disks], FULL),
            resource("operations", own, [each["iops"] for each in disks]),
            resource("network", host, [each["net"] for each in cluster["hosts"]]),
        ),
        host=host,
        domain=np.stack([host, np.array([racks[each["rack"]] for each in disks])]),
        accepts=~gone,
        gone=gone,
        lost=np.zeros(len(disks), dtype=bool),
        demand=np.array([row[4:7] for row in rows], dtype=float),
        group=np.array([groups[row[1]] for row in rows], dtype=np.int32),
        home=np.array([disk_of[row[7]] for row in rows], dtype=np.int32),
        apart=np.array([apart[number] for number in range(len(groups))], dtype=np.int32),
    )
