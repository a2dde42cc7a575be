"""What a load may ask of where it goes, as counts that the caller states: the cluster knows hosts, not who is
on them.

Spread: over failure domains. Company: near to, or apart from, what is there already. Preference: a label or a
host. A constraint without a weight is a rule (filters/); one with a weight is a soft term: where it does not
hold, the weight is added to the host's score. Scores of the policy spread are costs: 1 is what it costs to
bring one idle rate resource to 50 %, 0.1 to fill a memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from balancer_core.errors import InvalidInput

MAX_COUNT: Final = 1_000_000_000
MAX_WEIGHT: Final = 1000.0

#: The level of a host by itself, beside the labels' keys.
HOST: Final = "host"


class InvalidLoad(InvalidInput):
    """A load that cannot be asked for; field says which part of it."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How evenly a group lies over failure domains.

    level: a label's key ("zone", "rack"), or "host" for each host by itself.
    taken: how many of the group each domain holds already, by label value or host name.
    max_per_domain: at most so many in one domain; None for no such limit. 1 where max_skew is not given
    either.
    max_skew: no domain may come to hold more than this above the domain that holds least, counted over
    domains with a host that carries the load's labels and no flag.
    """

    level: str
    taken: Mapping[str, int]
    max_per_domain: int | None = None
    max_skew: int | None = None

    def __post_init__(self) -> None:
        _check_level(self.level, "spread.level")
        if self.max_per_domain is None and self.max_skew is None:
            object.__setattr__(self, "max_per_domain", 1)
        if self.max_per_domain is not None and not _is_count(self.max_per_domain, 1):
            raise InvalidLoad(
                "spread.max_per_domain", "invalid_count", "at least 1 must be allowed in a domain."
            )
        if self.max_skew is not None and not _is_count(self.max_skew, 1):
            raise InvalidLoad("spread.max_skew", "invalid_count", "a skew of at least 1 must be allowed.")
        object.__setattr__(self, "taken", _counts(self.taken, "spread.taken"))


@dataclass(frozen=True, slots=True)
class Company:
    """Loads that this one shall be near to, or apart from: the same domain of a level, or another one.

    group: what they are called; found: how many of them each domain holds, by label value or host name.
    weight: None where it must be; else what a host is charged where it is not, 0 to 1000.
    """

    group: str
    found: Mapping[str, int]
    level: str = HOST
    weight: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.group, str) or not 0 < len(self.group) <= 200:
            raise InvalidLoad(
                "company.group", "invalid_name", "a group has a name of at most 200 characters."
            )
        _check_level(self.level, "company.level")
        if self.weight is not None:
            _check_weight(self.weight, "company.weight")
        object.__setattr__(self, "found", _counts(self.found, "company.found"))


@dataclass(frozen=True, slots=True)
class Preference:
    """A label value, or with level "host" a host, that is preferred: others are charged the weight, 0 to
    1000."""

    level: str
    value: str
    weight: float

    def __post_init__(self) -> None:
        _check_level(self.level, "prefer.level")
        if not isinstance(self.value, str):
            raise InvalidLoad(
                "prefer.value", "invalid_value", f"{self.value!r} is not a label's value or a host."
            )
        _check_weight(self.weight, "prefer.weight")


def check_contradictions(
    pin_hosts: frozenset[str],
    exclude_hosts: frozenset[str],
    near: tuple[Company, ...],
    apart: tuple[Company, ...],
) -> None:
    """Errors: InvalidLoad, code contradiction, where two rules can never hold together."""
    both = sorted(pin_hosts & exclude_hosts)
    if both:
        raise InvalidLoad("pin_hosts", "contradiction", f"{both[0]} is pinned and excluded as well.")
    for place, away in enumerate(apart):
        for company in near:
            # On the same host means in the same domain of any level.
            same_place = company.level in (HOST, away.level)
            if away.group == company.group and same_place and away.weight is None and company.weight is None:
                reason = f"it cannot be in another {away.level} than {away.group} and near it at once."
                raise InvalidLoad(f"apart.{place}", "contradiction", reason)


def _check_level(level: object, field: str) -> None:
    if not isinstance(level, str) or not level:
        raise InvalidLoad(field, "invalid_level", "a level is a label's key or host.")


def _check_weight(weight: object, field: str) -> None:
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= MAX_WEIGHT:
        raise InvalidLoad(field, "invalid_weight", f"{weight!r} is not a number from 0 to {MAX_WEIGHT:g}.")


def _counts(counts: Mapping[str, int], field: str) -> dict[str, int]:
    if not isinstance(counts, Mapping):
        raise InvalidLoad(field, "not_a_mapping", f"{field} is pairs of domain and count.")
    for domain, count in counts.items():
        if not isinstance(domain, str) or not _is_count(count, 0):
            raise InvalidLoad(field, "invalid_count", f"{str(domain)[:80]!r} has no valid count.")
    return dict(counts)


def _is_count(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= MAX_COUNT
