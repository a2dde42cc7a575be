"""Named scenes of a service's day: what happens to one of its hosts while requests come. SCENES is the registry.

Each takes the place of the host that it happens to, and when it begins and ends, and gives changes. hosts() and
poisson_requests() make what they happen to; all that is random comes from the caller's generator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, Protocol

import numpy as np

from balancer_core.sim.servers import Change, Server
from balancer_core.sim.traffic import Requests

#: Six unequal hosts, requests/s: 10 : 6 : 4 : 2.4 : 1.6 : 1.
UNEQUAL: Final = (100.0, 60.0, 40.0, 24.0, 16.0, 10.0)

Work = Literal["equal", "exponential", "normal"]
Scene = Callable[[int, float, float], list[Change]]


class Draws(Protocol):
    """Many random numbers at once; NumPy's generators have it."""

    def exponential(self, scale: float, size: int) -> Any: ...
    def normal(self, loc: float, scale: float, size: int) -> Any: ...
    def integers(self, low: int, high: int, size: int) -> Any: ...


def hosts(speeds: Sequence[float], *, declared: bool = True) -> list[Server]:
    """Servers of these speeds in requests/s. declared: whether their cores say so; else all say one core."""
    return [
        Server(f"host-{number}", speed, speed / max(speeds) if declared else 1.0)
        for number, speed in enumerate(speeds)
    ]


def poisson_requests(
    chance: Draws,
    rate_per_s: float,
    until_s: float,
    *,
    work: Work = "equal",
    pickers: int = 1,
) -> Requests:
    """Requests without memory at this rate, pickers by lot, work of 1 on average.

    normal: with a deviation as large as the mean, cut at 0, as Prequal's testbed has it.
    Errors: ValueError for a rate or an end that is not above 0.
    """
    if not (rate_per_s > 0.0 and until_s > 0.0):
        raise ValueError(f"rate {rate_per_s!r}/s until {until_s!r} s")
    count = int(rate_per_s * until_s)
    at_s = np.cumsum(chance.exponential(1.0 / rate_per_s, count))
    if work == "equal":
        amounts = np.ones(count)
    elif work == "exponential":
        amounts = chance.exponential(1.0, count)
    else:
        amounts = np.maximum(chance.normal(1.0, 1.0, count), 1e-3)
        amounts /= amounts.mean()
    return Requests(at_s, amounts, chance.integers(0, pickers, count).astype(np.int32))


def calm(host: int, begin_s: float, end_s: float) -> list[Change]:
    """Nothing happens."""
    return []


def antagonist(host: int, begin_s: float, end_s: float) -> list[Change]:
    """Other work takes 80 % of the host."""
    return [Change(begin_s, host, "taken", 0.8), Change(end_s, host, "taken", 0.0)]


def greedy_antagonist(host: int, begin_s: float, end_s: float) -> list[Change]:
    """Other work takes 80 % of the host, and what requests leave of the rest: it looks full whatever comes."""
    return [
        *antagonist(host, begin_s, end_s),
        Change(begin_s, host, "greedy", True),
        Change(end_s, host, "greedy", False),
    ]


def fast_failure(host: int, begin_s: float, end_s: float) -> list[Change]:
    """The host answers with errors, at once."""
    return [Change(begin_s, host, "fails", 1.0), Change(end_s, host, "fails", 0.0)]


def stuck(host: int, begin_s: float, end_s: float) -> list[Change]:
    """Requests wait for something that nobody measures; the host looks idle."""
    return [Change(begin_s, host, "stuck", 0.02), Change(end_s, host, "stuck", 1.0)]


def thin_link(host: int, begin_s: float, end_s: float) -> list[Change]:
    """The host's bandwidth falls to a tenth of what its cpu would need."""
    return [Change(begin_s, host, "thin", 0.1), Change(end_s, host, "thin", 1.0)]


def newcomer(host: int, begin_s: float, end_s: float) -> list[Change]:
    """The host is not there before begin_s."""
    return [Change(0.0, host, "there", False), Change(begin_s, host, "there", True)]


def idle_claim(host: int, begin_s: float, end_s: float) -> list[Change]:
    """The host's agent says that it is idle, whatever it does."""
    return [Change(begin_s, host, "says", 0.0), Change(end_s, host, "says", None)]


def busy_claim(host: int, begin_s: float, end_s: float) -> list[Change]:
    """The host's agent says that it is full, whatever it does."""
    return [Change(begin_s, host, "says", 1.0), Change(end_s, host, "says", None)]


SCENES: Final[dict[str, Scene]] = {
    scene.__name__: scene
    for scene in (
        calm,
        antagonist,
        greedy_antagonist,
        fast_failure,
        stuck,
        thin_link,
        newcomer,
        idle_claim,
        busy_claim,
    )
}
