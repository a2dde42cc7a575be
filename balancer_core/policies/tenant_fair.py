"""Tenant-fair: tenants take turns by dominant share, and each load goes where it costs least (scores.marginal).

Which load is next is decided among those that are put together in one call (batch.decide_batch): the tenant
whose dominant share is smallest, divided by its weight, goes first; where a load then goes is decided as in
spread. For a load alone it is spread.
Paper: Ghodsi et al.: Dominant resource fairness, NSDI 2011 (fairness.py has its promises and its cost).
Options: weights as in spread; tenant_weight, what the load's tenant counts, 1 where not given.
When not to use it: where there is room for all that waits, since turns then change nothing.
"""

from __future__ import annotations

from typing import Any, Final

from balancer_core.policies.options import WEIGHTS_SCHEMA
from balancer_core.policies.spread import phrase
from balancer_core.scores import SCORES

__all__ = ["NAME", "SCHEMA", "SCORE", "VERSION", "phrase"]

NAME: Final = "tenant_fair"
VERSION: Final = "1"
SCORE: Final = SCORES["marginal"]
SCHEMA: Final[dict[str, Any]] = {
    **WEIGHTS_SCHEMA,
    "properties": {
        **WEIGHTS_SCHEMA["properties"],
        "tenant_weight": {
            "type": "number",
            "description": "How much of the cluster the load's tenant may have beside the others; 1 where not given.",
            "minimum": 1e-6,
            "maximum": 1e6,
        },
    },
}
