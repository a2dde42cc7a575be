"""Something to place, as asked for and checked: its kind, its demand and its constraints."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from balancer_core.cluster.labels import InvalidLabel, check_labels
from balancer_core.errors import InvalidInput
from balancer_core.policies import POLICIES, InvalidOption, check_options
from balancer_core.resources import LEAST_AMOUNT, InvalidAmount, check_amount

KINDS: Final = ("service", "job", "shard")
MAX_SPREADS: Final = 8
MAX_EXCLUDED: Final = 100_000

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:/@-]{0,198}[A-Za-z0-9])?")


class InvalidLoad(InvalidInput):
    """A load that cannot be asked for; field says which part of it."""


@dataclass(frozen=True, slots=True)
class Spread:
    """At most max_per_domain of a group in one failure domain.

    level: a label's key ("zone", "rack"), or "host" for each host by itself.
    taken: how many of the group each domain holds already, by label value or host name.
    """

    level: str
    taken: Mapping[str, int]
    max_per_domain: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.level, str) or not self.level:
            raise InvalidLoad("spread.level", "invalid_level", "a level is a label's key or host.")
        if not _is_count(self.max_per_domain) or self.max_per_domain < 1:
            raise InvalidLoad(
                "spread.max_per_domain", "invalid_count", "at least 1 must be allowed in a domain."
            )
        if not isinstance(self.taken, Mapping):
            raise InvalidLoad("spread.taken", "not_a_mapping", "taken is pairs of domain and count.")
        for domain, count in self.taken.items():
            if not isinstance(domain, str) or not _is_count(count) or count < 0:
                raise InvalidLoad(
                    "spread.taken", "invalid_count", f"{str(domain)[:80]!r} has no valid count."
                )
        object.__setattr__(self, "taken", dict(self.taken))


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of placement. Checked when made, except for resources' names, which only a cluster knows.

    demand: resource to amount in base units; what is not named is not needed.
    labels: that a host must carry. exclude_hosts: that must not take it. spread: every one must hold.
    policy: a name in POLICIES; options: as its SCHEMA says.
    Errors: InvalidLoad with the field.
    """

    kind: Literal["service", "job", "shard"]
    name: str
    demand: Mapping[str, float]
    labels: Mapping[str, str] = field(default_factory=dict)
    exclude_hosts: frozenset[str] = frozenset()
    spread: tuple[Spread, ...] = ()
    policy: str = "spread"
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InvalidLoad(
                "kind", "unknown_kind", f"{str(self.kind)[:80]!r} is none of {', '.join(KINDS)}."
            )
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            reason = f"{str(self.name)[:80]!r} is not a name of at most 200 letters, digits and . _ : / @ -"
            raise InvalidLoad("name", "invalid_name", reason)
        if not isinstance(self.policy, str) or self.policy not in POLICIES:
            reason = f"{str(self.policy)[:80]!r} is none of {', '.join(POLICIES)}."
            raise InvalidLoad("policy", "unknown_policy", reason)
        for name in ("demand", "options"):
            if not isinstance(getattr(self, name), Mapping):
                raise InvalidLoad(name, "not_a_mapping", f"{name} is pairs of name and value.")
        object.__setattr__(self, "demand", self._checked_demand())
        object.__setattr__(self, "labels", self._checked_labels())
        object.__setattr__(self, "options", dict(self.options))
        object.__setattr__(self, "exclude_hosts", self._checked_exclusions())
        object.__setattr__(self, "spread", tuple(self.spread))
        if len(self.spread) > MAX_SPREADS or not all(isinstance(each, Spread) for each in self.spread):
            raise InvalidLoad("spread", "invalid_spread", f"spread is at most {MAX_SPREADS} Spread.")
        try:
            check_options(self.options, POLICIES[self.policy].SCHEMA)
        except InvalidOption as error:
            raise InvalidLoad(error.field, error.code, error.reason) from None

    def _checked_demand(self) -> dict[str, float]:
        checked = {}
        for name, amount in self.demand.items():
            if not isinstance(name, str):
                raise InvalidLoad("demand", "unknown_resource", f"{name!r} is not a resource.")
            try:
                checked[name] = check_amount(amount, f"demand.{name[:80]}")
            except InvalidAmount as error:
                raise InvalidLoad(error.field, error.code, error.reason) from None
            if 0.0 < checked[name] < LEAST_AMOUNT:
                raise InvalidLoad(
                    f"demand.{name[:80]}", "too_small", "it is too little to be weighed; leave it out."
                )
        return checked

    def _checked_labels(self) -> dict[str, str]:
        try:
            return check_labels(self.labels)
        except InvalidLabel as error:
            raise InvalidLoad(error.field, error.code, error.reason) from None

    def _checked_exclusions(self) -> frozenset[str]:
        hosts = self.exclude_hosts
        if isinstance(hosts, str) or not all(isinstance(name, str) for name in hosts):
            raise InvalidLoad("exclude_hosts", "invalid_host", "exclude_hosts is a set of host names.")
        if len(hosts) > MAX_EXCLUDED:
            raise InvalidLoad("exclude_hosts", "too_many", f"at most {MAX_EXCLUDED:,} hosts can be excluded.")
        return frozenset(hosts)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
