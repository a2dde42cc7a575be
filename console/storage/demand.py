"""What a replica asks of its host: room for its bytes and their growth, and its part of the shard's load."""

from __future__ import annotations

import math

from console.storage.models import Shard, StoragePool


def demand_of(shard: Shard, *, leader: bool) -> dict[str, float]:
    """Resource to amount, leaving out what is not needed.

    Of replicas the leader is read, takes what is written and sends it to the others, who only write it: so those that
    lead are dear, and lie apart from each other where the load is shared out. An erasure set's pieces share all alike.
    Slots are in memory, and take their node's cpu and network.
    """
    pool = shard.pool
    if pool.mover == StoragePool.Mover.REDIS:
        slots = {
            "memory": float(shard.bytes),
            "cpu": shard.cpu,
            "net_in": shard.write_bytes_s,
            "net_out": shard.read_bytes_s,
        }
        return {name: amount for name, amount in slots.items() if amount > 0.0}
    reads, writes = shard.read_bytes_s / pool.data, shard.write_bytes_s / pool.data
    sent = reads
    if pool.data == 1:
        reads = reads if leader else 0.0
        sent = reads + writes * (shard.replica_count - 1) * leader
    asked = {
        "disk": piece_bytes(pool, shard.bytes, shard.growth_bytes_day),
        "disk_io": reads + writes,
        "net_out": sent,
        "net_in": writes,
        "memory": shard.memory_bytes,
    }
    return {name: amount for name, amount in asked.items() if amount > 0.0}


def piece_bytes(pool: StoragePool, size: float, growth_bytes_day: float) -> float:
    """What one piece of a shard of so many bytes takes of a disk, with the growth that room is kept for."""
    return float(math.ceil((size + max(growth_bytes_day, 0.0) * pool.keep_days) / pool.data))
