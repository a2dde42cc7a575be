"""What a what-if comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from balancer_core.phrasing import figure


class Move(NamedTuple):
    """A load that would go elsewhere. cost: by what it would raise the cluster's cost there. reason: a sentence."""

    key: str
    kind: str
    name: str
    source: str
    target: str
    cost: float
    reason: str


class Stranded(NamedTuple):
    """A load that would have no place. judged: whether one was looked for; where not, reason says why not."""

    key: str
    kind: str
    name: str
    source: str
    judged: bool
    reason: str


class HostLoad(NamedTuple):
    """One host's load, 0 to 1 and above: the largest share of a resource that is reserved or measured.

    before: None for a newcomer. after: None for a host that would be empty or gone.
    """

    host: str
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Over the hosts that carry load. imbalance: the standard deviation of their loads."""

    hosts: int
    most: float
    fullest: str
    mean: float
    imbalance: float

    @classmethod
    def of(cls, names: Sequence[str], loads: NDArray[np.float64]) -> Figures:
        """loads: float64[H] of the named hosts. O(H)."""
        if not len(loads):
            return cls(0, 0.0, "", 0.0, 0.0)
        worst = int(loads.argmax())
        return cls(
            len(loads), float(loads[worst]), names[worst], float(loads.mean()), float(loads.std())
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """moves and stranded: in the order in which they were looked at. unlooked: loads that the time did not suffice
    for; they are counted where they are now, or nowhere if they would have to leave. overfull: hosts whose load
    would be above 1 whatever moves."""

    before: Figures
    after: Figures
    moves: tuple[Move, ...]
    stranded: tuple[Stranded, ...]
    hosts: tuple[HostLoad, ...]
    overfull: tuple[str, ...]
    unlooked: int
    considered: int

    @property
    def sentence(self) -> str:
        """The whole of it in a sentence or two."""
        lost = sum(each.judged for each in self.stranded)
        unknown = len(self.stranded) - lost
        if self.moves:
            targets = len({move.target for move in self.moves})
            said = f"{_count(len(self.moves), 'load')} would move, to {_count(targets, 'host')}"
        else:
            said = "Nothing would move"
        said += f"; {_count(lost, 'load')} would have no place" if lost else ""
        said += f"; {_count(unknown, 'load')} cannot be judged" if unknown else ""
        said += (
            f"; {_count(self.unlooked, 'load')} were not looked at in the time given" if self.unlooked else ""
        )
        said += "."
        if not self.after.hosts:
            return f"{said} No host would be left."
        said += (
            f" The fullest host goes from {_percent(self.before.most)} ({self.before.fullest or 'none'}) to "
            f"{_percent(self.after.most)} ({self.after.fullest}), imbalance from "
            f"{figure(self.before.imbalance)} to {figure(self.after.imbalance)}."
        )
        if self.overfull:
            said += f" {_count(len(self.overfull), 'host')} would have more than everything in use."
        return said

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, strings and numbers."""
        return {
            "sentence": self.sentence,
            "before": asdict(self.before),
            "after": asdict(self.after),
            "moves": [move._asdict() for move in self.moves],
            "stranded": [each._asdict() for each in self.stranded],
            "hosts": [each._asdict() for each in self.hosts],
            "overfull": list(self.overfull),
            "unlooked": self.unlooked,
            "considered": self.considered,
        }


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"
