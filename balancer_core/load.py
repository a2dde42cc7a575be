"""Something to place, as asked for and checked: its kind, its demand and its constraints."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from balancer_core.cluster.labels import InvalidLabel, check_labels
from balancer_core.constraints import Company, InvalidLoad, Preference, Spread, check_contradictions
from balancer_core.policies import POLICIES, InvalidOption, check_options
from balancer_core.resources import LEAST_AMOUNT, InvalidAmount, check_amount

__all__ = ["KINDS", "Company", "InvalidLoad", "Load", "Preference", "Spread"]

KINDS: Final = ("service", "job", "shard")
MAX_SPREADS: Final = 8
MAX_COMPANIES: Final = 16
MAX_EXCLUDED: Final = 100_000
MAX_PRIORITY: Final = 1_000_000

#: Soft terms a load may have: each can double the number of passes over the hosts (preferences.py).
MAX_SOFT: Final = 6

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:/@-]{0,198}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of placement. Checked when made, except for resources' names, which only a cluster knows.

    demand: resource to amount in base units; what is not named is not needed.
    labels: that a host must carry. exclude_hosts: that must not take it. pin_hosts: that alone may, if any is
    named.
    spread, near, apart: every one must hold, but for companies with a weight; those and prefer are soft.
    group: what it counts as, for spread, near and apart of the others that are placed in the same call.
    priority: who may be proposed to leave for whom, -1,000,000 to 1,000,000; nothing leaves by itself.
    tenant: whose it is, for the policy tenant_fair.
    policy: a name in POLICIES; options: as its SCHEMA says.
    marks: resource to the share of a host's capacity that it may hold with this load, for those that ask for it.
    default_version: of the caller's own default policies, the one that both are of, 0 for none; only kept for who asks.
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
    pin_hosts: frozenset[str] = frozenset()
    near: tuple[Company, ...] = ()
    apart: tuple[Company, ...] = ()
    prefer: tuple[Preference, ...] = ()
    group: str = ""
    priority: int = 0
    tenant: str = ""
    default_version: int = 0
    marks: Mapping[str, float] = field(default_factory=dict)

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
        for name in ("demand", "options", "marks"):
            if not isinstance(getattr(self, name), Mapping):
                raise InvalidLoad(name, "not_a_mapping", f"{name} is pairs of name and value.")
        object.__setattr__(self, "demand", self._checked_demand())
        object.__setattr__(self, "labels", self._checked_labels())
        object.__setattr__(self, "marks", self._checked_marks())
        object.__setattr__(self, "options", dict(self.options))
        for name in ("exclude_hosts", "pin_hosts"):
            object.__setattr__(self, name, _checked_hosts(getattr(self, name), name))
        self._check_company()
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

    def _checked_marks(self) -> dict[str, float]:
        for name, share in self.marks.items():
            number = isinstance(share, int | float) and not isinstance(share, bool)
            if not isinstance(name, str) or not number or not 0.0 < share <= 1.0:
                raise InvalidLoad(f"marks.{str(name)[:80]}", "out_of_range", "a share above 0, at most 1.")
        return {name: float(share) for name, share in self.marks.items()}

    def _checked_labels(self) -> dict[str, str]:
        try:
            return check_labels(self.labels)
        except InvalidLabel as error:
            raise InvalidLoad(error.field, error.code, error.reason) from None

    def _check_company(self) -> None:
        for name, kind in (("near", Company), ("apart", Company), ("prefer", Preference)):
            given = tuple(getattr(self, name))
            if len(given) > MAX_COMPANIES or not all(isinstance(each, kind) for each in given):
                reason = f"{name} is at most {MAX_COMPANIES} {kind.__name__}."
                raise InvalidLoad(name, f"invalid_{name}", reason)
            object.__setattr__(self, name, given)
        soft = len(self.prefer) + sum(each.weight is not None for each in (*self.near, *self.apart))
        if soft > MAX_SOFT:
            raise InvalidLoad("prefer", "too_many", f"{soft} soft terms; at most {MAX_SOFT} are weighed.")
        for name in ("group", "tenant"):
            given = getattr(self, name)
            if not isinstance(given, str) or len(given) > 200:
                raise InvalidLoad(name, "invalid_name", f"a {name} has a name of at most 200 characters.")
        whole = isinstance(self.priority, int) and not isinstance(self.priority, bool)
        if not whole or abs(self.priority) > MAX_PRIORITY:
            reason = f"{self.priority!r} is not a whole number of at most {MAX_PRIORITY:,}."
            raise InvalidLoad("priority", "out_of_range", reason)
        check_contradictions(self.pin_hosts, self.exclude_hosts, self.near, self.apart)


def _checked_hosts(hosts: frozenset[str], name: str) -> frozenset[str]:
    if isinstance(hosts, str) or not all(isinstance(host, str) for host in hosts):
        raise InvalidLoad(name, "invalid_host", f"{name} is a set of host names.")
    if len(hosts) > MAX_EXCLUDED:
        raise InvalidLoad(name, "too_many", f"at most {MAX_EXCLUDED:,} hosts can be named.")
    return frozenset(hosts)
