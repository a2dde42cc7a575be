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
  beforehand: both ways are tried on a short run each, and the long run goes the better one.
- A run freezes where chance leads it: which of the few largest loads found room is decided early, and cooling slower
  than some thousand tries a pair leads it little better. A budget for more is spent on warming the best so far up
  again, half the way back to the start, and cooling it as slowly as before: what the higher temperatures decided is
  kept, the rest is found anew.
- What stays broken too long is given up: back to the best so far, whose rules hold.
Idea: simulated annealing (Kirkpatrick et al., Science 1983) with strategic oscillation across the border of what is
allowed (Glover) and thermal cycling (Moebius et al., Physical Review Letters 1997); measured on the challenge's sets
by bench/reassignment.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

#: Where the trials of the two ways end, as shares of the budget; the rest is for the long run and its repeats.
TRIALS: Final = (0.1, 0.2)

#: What the long run tries for each pair of a load and a host, where on its way the repeats begin, and the most of them.
TRIES, WARMED, REPEATS = 6_000.0, 0.5, 8

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
class Run:
    """One cooling. end: the share of the budget at which it ends. begin: the share of the way from hot to cold at
    which it begins."""

    end: float
    begin: float


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a share of the budget leads: the run's number, the share of its way that is over, its temperature in
    usual loads, and the prices of a unit short and of one held on two hosts."""

    run: int
    share: float
    temperature: float
    shortage: float
    doubled: float

    @classmethod
    def at(cls, spent: float, runs: Sequence[Run], loads: int, hosts: int) -> Stage:
        """spent: share of the budget, in [0, 1). runs: in order, the last one ends at 1. O(runs)."""
        run = next(number for number, each in enumerate(runs) if spent < each.end)
        start, now = runs[run - 1].end if run else 0.0, runs[run]
        share = now.begin + (1.0 - now.begin) * (spent - start) / (now.end - start)
        cold = COLD * min(1.0, LOADS * hosts / max(loads, hosts))
        hot = max(cold, HOT * min(HOTTER, PAIRS / (loads * hosts)))
        return cls(
            run=run,
            share=share,
            temperature=between(hot, cold, share),
            shortage=between(SHORT_FIRST, SHORT_LAST, share),
            doubled=between(DOUBLED_FIRST, DOUBLED_LAST, share),
        )


def runs_within(tries: float) -> tuple[Run, ...]:
    """The runs of a budget that is enough for so many tries of each pair: all that follow the trials cool equally
    fast."""
    start, part = TRIALS[-1], 1.0 - WARMED
    count = min(REPEATS, max(0, round(((1.0 - start) * tries / TRIES - 1.0) / part)))
    pace = (1.0 - start) / (1.0 + part * count)
    repeats = (Run(1.0 - pace * part * left, WARMED) for left in reversed(range(count)))
    return (*(Run(end, 0.0) for end in TRIALS), Run(1.0 - pace * part * count, 0.0), *repeats)


def between(first: float, last: float, share: float) -> float:
    """From first to last, each equal part of the way by the same factor."""
    return float(first * (last / first) ** share)
