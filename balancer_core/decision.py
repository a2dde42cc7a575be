"""The answer with its reasons.

Immutable, and JSON-safe through to_dict(); the console and the API show only this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray


class Term(NamedTuple):
    """One resource's part in a score.

    before, after: utilisation (1.0 = all of the capacity), without doubt: the largest of what is reserved,
    measured and forecast. forecast: how much of both is forecast alone.
    """

    resource: str
    before: float
    after: float
    cost: float
    forecast: float = 0.0


class Terms(Sequence[Term]):
    """The terms of one host. Kept as numbers, since most decisions are read by nobody; each Term is made when it
    is looked at.

    names: of R resources. parts: float64[R, 4] of Term's figures, NaN where there is no term; not copied.
    """

    __slots__ = ("_names", "_parts")

    def __init__(self, names: Sequence[str], parts: NDArray[np.float64]) -> None:
        self._names, self._parts = names, parts

    @classmethod
    def of(cls, terms: Sequence[Term]) -> Terms:
        """These terms."""
        parts = np.array([term[1:] for term in terms], dtype=np.float64).reshape(len(terms), 4)
        return cls(tuple(term.resource for term in terms), parts)

    def figures(self) -> list[tuple[str, list[float]]]:
        """(resource, the other fields of its Term in order) for each term."""
        every = zip(self._names, self._parts.tolist(), strict=True)
        return [(name, parts) for name, parts in every if parts[0] == parts[0]]

    def __iter__(self) -> Iterator[Term]:
        return (Term(name, *parts) for name, parts in self.figures())

    @overload
    def __getitem__(self, place: int) -> Term: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Term, ...]: ...
    def __getitem__(self, place: int | slice) -> Term | tuple[Term, ...]:
        return tuple(self)[place]

    def __len__(self) -> int:
        return len(self.figures())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Terms) and self.figures() == other.figures()

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"Terms{tuple(self)!r}"


class Unmet(NamedTuple):
    """A preference that a host does not meet, and what it is charged for that."""

    preference: str
    cost: float


class Candidate(NamedTuple):
    """A host that could take the load.

    total: the sum of its terms' costs, and of what it is charged for unmet preferences; lower is better.
    margin: how much worse than the winner.
    """

    host: str
    total: float
    margin: float
    terms: Terms
    unmet: tuple[Unmet, ...] = ()


class Objection(NamedTuple):
    """A rule's no, and its sentence."""

    code: str
    reason: str


class Rejection(NamedTuple):
    """Why one host may not take the load: the first rule that said no, and its sentence.

    also: what later rules would have said no to as well, in their order; None where they were not asked.
    """

    host: str
    code: str
    reason: str
    also: tuple[Objection, ...] | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What, all together, would have to change for this host to take the load."""

    host: str
    steps: tuple[str, ...]


#: Of a decision that has none.
NO_TERMS: Final = Terms((), np.empty((0, 4)))


@dataclass(frozen=True, slots=True)
class Decision:
    """Where a load goes and why, or why nowhere.

    terms: the winner's. candidates: the best hosts in order, winner first.
    rejected: reason code to number of hosts. rejections: host by host, at most a stated number,
    rejections_more the rest.
    changes: the hosts that were nearest to taking a refused load, nearest first.
    considered: hosts in the snapshot; feasible: those that could take it.
    report_age_s: of the winner's last report; oldest_report_s: over all hosts that ever reported; None if
    none did.
    never_reported: hosts judged by their reservations alone.
    batch: what being decided together with others meant for it; empty where it was decided alone.
    """

    kind: str
    name: str
    demand: Mapping[str, float]
    policy: str
    policy_version: str
    outcome: Literal["placed", "refused"]
    host: str | None
    sentence: str
    terms: Terms
    candidates: tuple[Candidate, ...]
    rejected: Mapping[str, int]
    rejections: tuple[Rejection, ...]
    rejections_more: int
    changes: tuple[Change, ...]
    considered: int
    feasible: int
    snapshot_version: int
    report_age_s: float | None
    oldest_report_s: float | None
    never_reported: int
    batch: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "demand", MappingProxyType(dict(self.demand)))
        object.__setattr__(self, "rejected", MappingProxyType(dict(self.rejected)))

    @property
    def placed(self) -> bool:
        """Whether a host was found."""
        return self.outcome == "placed"

    @property
    def ranking(self) -> tuple[str, ...]:
        """The best hosts in order: who loses the race for the first goes to the next."""
        return tuple(candidate.host for candidate in self.candidates)

    def instead(self, host: str) -> Decision:
        """The same answer carried out on a runner-up, because those before it in the ranking were taken
        meanwhile.

        Errors: ValueError for a host that is not in the ranking.
        """
        place = self.ranking.index(host)
        if place == 0:
            return self
        taken, chosen = ", ".join(self.ranking[:place]), self.candidates[place]
        sentence = (
            f"{host} takes it, at a cost {chosen.margin:.3g} above the best: the room on {taken} was taken "
            "while this was decided."
        )
        return replace(self, host=host, terms=chosen.terms, sentence=sentence)

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, strings and numbers. policy becomes {"name", "version"}."""
        plain: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        plain["demand"], plain["rejected"] = dict(self.demand), dict(self.rejected)
        plain["policy"] = {"name": self.policy, "version": plain.pop("policy_version")}
        plain["terms"] = [term._asdict() for term in self.terms]
        plain["candidates"] = [
            each._asdict()
            | {
                "terms": [term._asdict() for term in each.terms],
                "unmet": [miss._asdict() for miss in each.unmet],
            }
            for each in self.candidates
        ]
        plain["rejections"] = [
            {**each._asdict(), "also": None if each.also is None else [no._asdict() for no in each.also]}
            for each in self.rejections
        ]
        plain["changes"] = [{"host": change.host, "steps": list(change.steps)} for change in self.changes]
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Decision:
        """The decision that to_dict() came from.

        Errors: KeyError or TypeError where parts are missing or unknown.
        """
        parts = dict(plain)
        policy = parts.pop("policy")
        parts["terms"] = Terms.of([Term(**term) for term in parts["terms"]])
        parts["candidates"] = tuple(_candidate(each) for each in parts["candidates"])
        parts["rejections"] = tuple(_rejection(each) for each in parts["rejections"])
        parts["changes"] = tuple(Change(each["host"], tuple(each["steps"])) for each in parts["changes"])
        return cls(policy=policy["name"], policy_version=policy["version"], **parts)


def _rejection(plain: Mapping[str, Any]) -> Rejection:
    # Decisions that were stored before later rules were asked say nothing of them.
    also = plain.get("also")
    return Rejection(**{**plain, "also": None if also is None else tuple(Objection(**each) for each in also)})


def _candidate(plain: Mapping[str, Any]) -> Candidate:
    # Decisions that were stored before there were preferences have none unmet.
    terms, unmet = plain["terms"], plain.get("unmet", ())
    lists = {
        "terms": Terms.of([Term(**term) for term in terms]),
        "unmet": tuple(Unmet(**each) for each in unmet),
    }
    return Candidate(**{**plain, **lists})
