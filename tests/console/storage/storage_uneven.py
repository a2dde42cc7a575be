"""Four hosts, and shards that all lie on the first of them."""

from __future__ import annotations

from typing import Any

from control_rig import GIB

from console.actions import SYSTEM
from console.fleet.models import Host
from console.placements import ledger
from console.placements.models import Placement
from console.storage.actions.pools import PutPool
from console.storage.actions.shards import CreateShard
from console.storage.models import Replica


def put(**says: Any) -> None:
    """The pool `p`, of one copy."""
    PutPool(
        "p",
        **{"parity": 0, "automatic": "carry-out", "threshold": 1.3, "margin": 0.1, "hold_s": 600.0, **says},
    ).run(SYSTEM)


def gather(host: str, count: int = 8) -> None:
    """Have so many of the shards lie on this host."""
    target = Host.objects.get(name=host)
    for placement in Placement.objects.filter(name__startswith="s").order_by("name")[:count]:
        ledger.release({placement.host_id: placement.demand})
        assert ledger.reserve(target.pk, placement.demand)
        Placement.objects.filter(pk=placement.pk).update(host=target)


def heap(cluster: Any) -> None:
    """Hosts of 100 GiB; eight ready shards of 5 GiB in the pool."""
    for number in range(4):
        cluster.add(f"h{number}", disk=100 * GIB)
    put()
    for number in range(8):
        CreateShard(f"s{number}", int(5 * GIB), "h0", "tree", pool="p").run(SYSTEM)
    Replica.objects.update(state="ready")
    gather("h0")
