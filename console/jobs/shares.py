"""How tenants' shares stand beside their fair parts: who has less than its part, and who more.

A tenant's fair part is its weight among the weights of all that hold or want something; its share is of its dominant
resource (balancer_core.fairness). Who wants nothing has no part: what it leaves is the others'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from balancer_core.cluster import Snapshot
from balancer_core.fairness import dominant_share
from console.jobs.models import Tenant
from console.jobs.queue import held, terms, vector


@dataclass(frozen=True)
class Share:
    """Of one tenant. share, fair: from 0 to 1 of the whole cluster. resource: the dominant one, "" where it holds
    nothing. holds: amounts by resource."""

    tenant: Tenant
    share: float
    resource: str
    fair: float
    holds: Mapping[str, float]

    @property
    def is_below(self) -> bool:
        return self.share < self.fair * (1 - 1e-9)

    @property
    def is_above(self) -> bool:
        return self.share > self.fair * (1 + 1e-9)


def shares(snapshot: Snapshot, waiting: Iterable[str]) -> dict[str, Share]:
    """Of each tenant that holds something or is among these, which wait. Two queries."""
    has = held()
    known = terms({*waiting, *has})
    weights = sum(tenant.weight for tenant in known.values())
    total = snapshot.capacity.sum(axis=0)
    found = {}
    for name, tenant in known.items():
        holds = has.get(name, {})
        share, place = dominant_share(vector(snapshot, holds), total)
        resource = snapshot.dimensions.names[place] if share else ""
        found[name] = Share(tenant, share, resource, tenant.weight / weights, holds)
    return found
