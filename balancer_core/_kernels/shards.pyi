"""The search for where replicas should be; balancer_core/shards/columns.py says what the columns mean."""

import numpy as np
from numpy.typing import NDArray

from balancer_core.shards.columns import Columns

class Search:
    """An assignment of N replicas to P places, its loads and its cost, kept together while it changes.

    Cost: sum over nodes of weight x (e + 8 e^2), e = how far the load is above its goal in shares of the mean,
    and the price of each replica that is away from home. No change takes a replica into a domain of its group's
    level where another of the group is or was at home, or a node above its ceiling.
    """

    #: int32[N]: where each replica is now, a copy. amounts: float64[nodes], what each node carries, a copy.
    assignment: NDArray[np.int32]
    amounts: NDArray[np.float64]
    #: What is above the goals, without prices.
    excess: float

    def __init__(self, columns: Columns, seed: int) -> None:
        """Begins with every replica at home. O(N R + P)."""

    def rehome(self, order: NDArray[np.int32]) -> int:
        """Take replicas, in this order, each to the cheapest place that may take it. Returns how many stay for
        want of one. O(P (R + group)) each."""

    def force(self, replica: int, place: int) -> None:
        """Put a replica somewhere, whatever it costs or breaks. Errors: ValueError for what is not there."""

    def anneal(self, temperature: float, tries: int) -> None:
        """Try so many moves and exchanges; what makes it dearer is taken with probability exp(-rise / temperature).

        temperature: above 0, in units of cost. O(tries (R + group)). Same state and arguments: same outcome.
        """
