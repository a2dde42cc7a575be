"""Search for a better assignment of loads to hosts: simulated annealing over shifts and exchanges."""

from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

#: Rows of resources are padded with zeros to a multiple of this.
WIDTH: Final[int]

Float: TypeAlias = NDArray[np.float64]
Int: TypeAlias = NDArray[np.int32]

class Columns(Protocol):
    """A problem, laid out for the kernel: H hosts, L loads, G groups, B balances, N needs, W padded resources.

    All amounts are whole numbers, and no cost reaches 2**53. weights[W]: of a unit above safety[H, W].
    scarcity[W]: what a unit above capacity[H, W] counts. lasting[L, W]: of demand[L, W] what is not transient.
    needs[N], by rows needs_from[G + 1]: what a group needs; needed_by[N], needed_from[G + 1]: the reverse.
    leave[L], route[H, H]: weighted costs of moving. doubled[L]: scarcity of what is transient of demand.
    balance_*[B] as in balancer_core.rebalance.Balance.
    """

    @property
    def capacity(self) -> Float: ...
    @property
    def safety(self) -> Float: ...
    @property
    def weights(self) -> Float: ...
    @property
    def scarcity(self) -> Float: ...
    @property
    def demand(self) -> Float: ...
    @property
    def lasting(self) -> Float: ...
    @property
    def domain(self) -> Int: ...
    @property
    def zone(self) -> Int: ...
    @property
    def group(self) -> Int: ...
    @property
    def current(self) -> Int: ...
    @property
    def spread(self) -> Int: ...
    @property
    def needs_from(self) -> Int: ...
    @property
    def needs(self) -> Int: ...
    @property
    def needed_from(self) -> Int: ...
    @property
    def needed_by(self) -> Int: ...
    @property
    def leave(self) -> Float: ...
    @property
    def route(self) -> Float: ...
    @property
    def doubled(self) -> Float: ...
    @property
    def balance_of(self) -> Int: ...
    @property
    def balance_against(self) -> Int: ...
    @property
    def balance_target(self) -> Float: ...
    @property
    def balance_weight(self) -> Float: ...

class Search:
    """An assignment that changes, and the best allowed one met so far.

    No two loads of a group are ever on one host. Capacity, spread and needs may be broken on the way, at a
    price; what is kept as the best breaks none of them. `current` breaks none, which the caller has checked.
    Same columns, seed and calls: same result. Memory: L and H rows of 2 W floats, G (domains + zones) int32,
    H G bits.
    Errors: ValueError for shapes that disagree or a row out of range.
    """

    def __init__(self, columns: Columns, group_weight: float, seed: int) -> None: ...
    @property
    def total(self) -> float:
        """The cost now, prices apart."""

    @property
    def best_total(self) -> float:
        """The cost of the best."""

    @property
    def short_hosts(self) -> int:
        """Hosts that hold more than their capacity."""

    @property
    def broken(self) -> int:
        """Failure domains missing, and pairs of a group and a zone where something it needs is not."""

    @property
    def assignment(self) -> NDArray[np.int64]:
        """int64[L]: a copy of where the loads are."""

    @property
    def best(self) -> NDArray[np.int64]:
        """int64[L]: a copy of where they were at best."""

    def anneal(
        self,
        temperature: float,
        shortage: float,
        broken: float,
        doubled: float,
        firm_capacity: bool,
        firm_rules: bool,
        steps: int,
    ) -> int:
        """Try so many random moves without the GIL; how many were taken. O(R) each.

        A move that makes the priced cost higher by d is taken with probability exp(-d / temperature).
        shortage: price of a unit above capacity (times scarcity); broken: of a broken rule; doubled: of a
        transient unit that a load away from where it was holds on both hosts (times scarcity). firm_capacity: once
        no host is short, none will be; firm_rules: never are more broken than before, and fewer at any cost.
        """

    def press(self, factor: float, most: float) -> None:
        """Make the shortage of hosts that are short count by a factor more, up to `most`, that of others less."""

    def go_back(self) -> None:
        """To the best. O(loads that moved since)."""

    def place(self, assignment: NDArray[np.int64]) -> None:
        """Put every load where this says; no two of a group on one host. O(loads that move x R)."""

    def change_by_shift(self, load: int, host: int) -> float:
        """What the cost would change by, rules apart."""

    def change_by_exchange(self, load: int, other: int) -> float:
        """What the cost would change by if two loads changed places, rules apart."""

    def shift(self, load: int, host: int) -> bool:
        """Move a load; False where another of its group is there, and nothing changed."""

    def exchange(self, load: int, other: int) -> bool:
        """Exchange two loads; False where that would put two of a group on one host, and nothing changed."""
