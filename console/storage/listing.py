"""The list of shards: what narrows it, and what an export says of a shard."""

from __future__ import annotations

from console.lists.facets import having
from console.lists.listing import Listing, fields
from console.storage.models import MovePlan, Shard

SHARDS = Listing(
    "shards",
    lambda: Shard.objects.select_related("source_host"),
    fields("name", "bytes", "replica_count", "spread_level", "source_host__name", "digest", "created_at"),
    (having("q", "name"),),
)

MOVE_PLANS = Listing(
    "rebalances",
    lambda: MovePlan.objects.all(),
    fields("pk", "state", "sentence", "takes_s", "created_at", "created_by", "applied_at", "ended_at"),
    (having("q", "sentence"),),
)
