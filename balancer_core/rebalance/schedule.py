"""How hot, and how dear broken rules are, while the budget is spent.

Theory of operation
- A run is cooled geometrically, from HOT to COLD times the cost of a usual load; COLD is divided by the loads of a
  host, since many loads fill a host to a finer grain. The fewer pairs of a load and a host there are, the hotter the
  start that a budget has the time to cool: with 100,000 of them 5 times HOT found places that HOT never did, with
  500,000 it ended in disorder, and with 2,000,000 so did HOT itself.
- What is transient is held on both hosts while a load is away from where it was, and that room is scarce. It has a
  price of its own, small against what a move can save and never nothing: else loads wander, which saves nothing and
  leaves no room for those that have to move.
- Capacity may be exceeded at a price that grows from cheap to dear: tight hosts are passed that way, which no chain
  of allowed moves passes. Hosts that stay short pay more and more; late in the run none may be short again.
- Spread and needs are kept from the start (KEPT), or may be broken at a price as well (BENT). Bending finds better
  places where groups need each other; where there are very many needs it can't be mended in time. Nobody knows
  beforehand: both ways are tried on a short run each, and the long runs go the better one.
- A run freezes where chance leads it, and cooling it slower than some thousand tries a pair does not lead it better:
  a budget for more is shared among several long runs, of which the best counts.
- What stays broken too long is given up: back to the best so far, whose rules hold.
Idea: simulated annealing (Kirkpatrick et al., Science 1983) with strategic oscillation across the border of what is
allowed (Glover); measured on the challenge's sets by bench/reassignment.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

#: Where the trials of the two ways end, as shares of the budget; the rest is for the long runs.
TRIALS: Final = (0.1, 0.2)

#: What a long run tries for each pair of a load and a host, and the most long runs.
TRIES, LONG_RUNS = 9_000.0, 5

#: Temperatures, in the cost of a usual load above safety; COLD for LOADS loads a host or fewer.
HOT, COLD, LOADS = 0.2, 0.002, 15.0

#: HOT is for PAIRS pairs of a load and a host; with fewer the start is hotter, HOTTER times at most, with more colder.
PAIRS, HOTTER = 500_000.0, 5.0

#: Prices of a unit short, and of one held on two hosts, in that of a unit above safety.
SHORT_FIRST, SHORT_LAST = 3.0, 4000.0
DOUBLED_FIRST, DOUBLED_LAST = 0.3, 0.01

#: Shares of a run: no host may be short again; what is short is given up; hosts that stay short are pressed.
CAPACITY_FIRM, CAPACITY_OVER, PRESSED = 0.85, 0.93, 0.4


@dataclass(frozen=True, slots=True)
class Way:
    """How a run treats spread and needs. first, last: price of a broken one, in usual loads. firm, over: shares of
    the run from which no more may be broken than are, and at which what is broken is given up."""

    first: float
    last: float
    firm: float
    over: float


KEPT: Final = Way(1.0, 1.0, firm=0.0, over=0.0)
BENT: Final = Way(0.02, 1.0, firm=0.7, over=0.85)


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a share of the budget leads: the run's number, the share of it that is over, its temperature in usual
    loads, and the prices of a unit short and of one held on two hosts."""

    run: int
    share: float
    temperature: float
    shortage: float
    doubled: float

    @classmethod
    def at(cls, spent: float, ends: Sequence[float], loads: int, hosts: int) -> Stage:
        """spent: share of the budget, in [0, 1). ends: of the runs, the last 1. O(1)."""
        run = next(number for number, end in enumerate(ends) if spent < end)
        start = ends[run - 1] if run else 0.0
        share = (spent - start) / (ends[run] - start)
        cold = COLD * min(1.0, LOADS * hosts / max(loads, hosts))
        hot = max(cold, HOT * min(HOTTER, PAIRS / (loads * hosts)))
        return cls(
            run=run,
            share=share,
            temperature=between(hot, cold, share),
            shortage=between(SHORT_FIRST, SHORT_LAST, share),
            doubled=between(DOUBLED_FIRST, DOUBLED_LAST, share),
        )


def ends_of_runs(tries: float) -> tuple[float, ...]:
    """Where the runs end, as shares of a budget that is enough for so many tries of each pair."""
    start = TRIALS[-1]
    count = min(LONG_RUNS, max(1, round((1.0 - start) * tries / TRIES)))
    return (*TRIALS, *(start + (1.0 - start) * number / count for number in range(1, count)), 1.0)


def between(first: float, last: float, share: float) -> float:
    """From first to last, each equal part of the way by the same factor."""
    return float(first * (last / first) ** share)
