"""Requests on hosts that queue: who picks, who waits, when each ends. A discrete-event simulation.

Work is in any unit, speed in that unit a second. Seconds are absolute. No thread may use one object with
another.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

POLICIES: tuple[str, ...]

class Queues:
    """Hosts, pickers and the requests that will come to them.

    at_s: float64[N], when each request comes, ascending; work: float64[N]; picker: int32[N], who picks for it.
    speed: float64[H]. policy: one of POLICIES:
    round_robin; two_choices (uniform draws, fewest of the picker's own in flight); least_request and
    weighted_round_robin (earliest deadline first with weight / (own in flight + 1) or weight, as Envoy does);
    shortest_delay (least (own in flight x scale + others + 1) / weight of all hosts, or of `choices` draws by
    weight; ties at random); clairvoyant (earliest end if nothing came after: knows all work and speeds).
    shared: a host serves all its requests by turns, each with at most most_speed; else the first to come
    alone, with at most that. way_s: of the network, each way. seed: of draws and ties.

    May be written between advances: speed, weight (0: gets nothing), fails (share of requests answered at
    once with an error, which take no work), others (float64[pickers, H], what a picker believes of others).
    To be read: in_flight int64[H] and own int64[pickers, H] as pickers see them; asked, ended, errors
    int64[H]; latency_s float64[H], summed over what ended; busy_s float64[H], seconds of its whole speed that
    requests used; and of each request ended_in_s float64[N] (NaN while it is under way), taken_by int32[N],
    failed uint8[N].
    Errors: ValueError for an unknown policy or lengths and pickers that disagree.
    """

    now: float
    ended_in_s: NDArray[np.float64]
    taken_by: NDArray[np.int32]
    failed: NDArray[np.uint8]
    speed: NDArray[np.float64]
    weight: NDArray[np.float64]
    fails: NDArray[np.float64]
    others: NDArray[np.float64]
    busy_s: NDArray[np.float64]
    latency_s: NDArray[np.float64]
    asked: NDArray[np.int64]
    ended: NDArray[np.int64]
    errors: NDArray[np.int64]
    in_flight: NDArray[np.int64]
    own: NDArray[np.int64]

    def __init__(
        self,
        at_s: ArrayLike,
        work: ArrayLike,
        picker: ArrayLike,
        speed: ArrayLike,
        *,
        policy: str,
        seed: int,
        pickers: int = 1,
        shared: bool = False,
        most_speed: float = ...,
        way_s: float = 0.0,
        choices: int = 0,
        scale: float = 1.0,
    ) -> None: ...
    def advance(self, until_s: float) -> None:
        """Everything up to this second, inf for all there is. O(H) an event, two to four events a request.

        Errors: ValueError if no host has a weight above 0.
        """
