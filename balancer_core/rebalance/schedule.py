"""How hot, and how dear broken rules are, while the budget is spent.

Theory of operation
- A run is cooled geometrically, from HOT to COLD times the cost of a usual load; COLD is divided by the loads of a
  host, since many loads fill a host to a finer grain.
- Capacity, and spread and needs, may be broken at a price that grows from cheap to dear. Tight hosts are passed
  that way, which no chain of allowed moves passes. From a share of the run on a rule is firm as soon as
  nothing breaks it.
- What stays broken too long is given up: back to the best so far, whose rules hold.
- A short run comes first, so that there is something good soon; the long one starts hot again.
Idea: simulated annealing (Kirkpatrick et al., Science 1983) with strategic oscillation across the border of what is
allowed (Glover); measured on the challenge's sets by bench/reassignment.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Where each run ends, as shares of the budget.
RUNS: Final = (0.15, 1.0)

#: Temperatures, in the cost of a usual load above safety; COLD for LOADS loads a host or fewer.
HOT, COLD, LOADS = 0.2, 0.002, 15.0

#: Prices of a unit short, in that of a unit above safety, and of a broken rule, in usual loads.
SHORT_FIRST, SHORT_LAST = 3.0, 4000.0
BROKEN_FIRST, BROKEN_LAST = 0.1, 3.0

#: Shares of a run from which what holds may not be broken again, and at which what is broken is given up.
RULES_FIRM, RULES_OVER = 0.3, 0.6
CAPACITY_FIRM, CAPACITY_OVER = 0.85, 0.93

#: From this share of a run on, hosts that stay short are pressed.
PRESSED: Final = 0.4


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a share of the budget leads: the run's number, the share of it that is over, and the conditions."""

    run: int
    share: float
    temperature: float
    shortage: float
    broken: float
    firm_capacity: bool
    firm_rules: bool

    @classmethod
    def at(cls, spent: float, load_cost: float, loads_a_host: float) -> Stage:
        """spent: share of the budget, in [0, 1). load_cost: of a usual load. Cost: O(1)."""
        run = next(number for number, end in enumerate(RUNS) if spent < end)
        start = RUNS[run - 1] if run else 0.0
        share = (spent - start) / (RUNS[run] - start)
        cold = COLD * min(1.0, LOADS / max(loads_a_host, 1.0))
        return cls(
            run=run,
            share=share,
            temperature=load_cost * _between(HOT, cold, share),
            shortage=_between(SHORT_FIRST, SHORT_LAST, share),
            broken=load_cost * _between(BROKEN_FIRST, BROKEN_LAST, share),
            firm_capacity=share >= CAPACITY_FIRM,
            firm_rules=share >= RULES_FIRM,
        )


def _between(first: float, last: float, share: float) -> float:
    return float(first * (last / first) ** share)
