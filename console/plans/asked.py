"""The change that a plan's URL asks for: every field in the query, so that a plan can be sent to somebody."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from balancer_core.policies import POLICIES
from balancer_core.whatif import Change, Newcomer
from console.actions import Invalid
from console.fleet.models import Host

MOST_NAMES = 200
MOST_ADDED = 1000
LONGEST_TEXT = 20_000


@dataclass(frozen=True)
class Asked:
    """The form as it was filled in, checked later."""

    drain: str = ""
    remove: str = ""
    add: str = ""
    like: str = ""
    times: str = ""
    policy: str = ""
    margin: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> Asked:
        """Trimmed and bounded, without NUL."""
        fields = ("drain", "remove", "add", "like", "times", "policy", "margin")
        return cls(
            **{name: query.get(name, "").replace("\x00", "").strip()[:LONGEST_TEXT] for name in fields}
        )

    @property
    def is_empty(self) -> bool:
        return not any((self.drain, self.remove, self.add, self.times, self.policy))

    def change(self) -> Change:
        """Raises Invalid naming the field of the form."""
        return Change(
            drain=self._names("drain"),
            remove=self._names("remove"),
            add=self._newcomers(),
            times=self._number("times", 1.0),
            policy=self._policy(),
            margin=self._number("margin", 10.0) / 100,
        )

    def _names(self, field: str) -> frozenset[str]:
        names = frozenset(re.split(r"[\s,]+", getattr(self, field))) - {""}
        if len(names) > MOST_NAMES:
            raise Invalid(field, "too_many", f"at most {MOST_NAMES} hosts at once")
        return names

    def _number(self, field: str, default: float) -> float:
        text = getattr(self, field)
        try:
            number = float(text.replace(",", ".")) if text else default
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise Invalid(field, "not_a_number", f"{text[:40]!r} is not a number, for instance 1.5")
        return number

    def _policy(self) -> str:
        if self.policy and self.policy not in POLICIES:
            raise Invalid("policy", "unknown_policy", f"it is none of {', '.join(POLICIES)}")
        return self.policy

    def _newcomers(self) -> tuple[Newcomer, ...]:
        if not self.add or self.add == "0":
            return ()
        if not (self.add.isascii() and self.add.isdecimal()) or not 1 <= int(self.add[:5]) <= MOST_ADDED:
            raise Invalid("add", "out_of_range", f"a number of hosts from 1 to {MOST_ADDED:,}")
        like = Host.objects.prefetch_related("ledger").filter(name=self.like).first()
        if like is None:
            raise Invalid(
                "like", "unknown", f"no host is called {self.like[:63]!r}" if self.like else "which?"
            )
        capacity = {line.resource: line.capacity for line in like.ledger.all()}
        return tuple(
            Newcomer(f"new-{place}-like-{like.name}"[:63], capacity, like.labels)
            for place in range(1, int(self.add) + 1)
        )


def request_of(change: Change) -> dict[str, Any]:
    """The change as the API takes it, without what is as usual."""
    request: dict[str, Any] = {}
    for name in ("drain", "remove"):
        if hosts := getattr(change, name):
            request[name] = sorted(hosts)
    if change.add:
        request["add"] = [
            {"name": each.name, "capacity": dict(each.capacity), "labels": dict(each.labels)}
            for each in change.add
        ]
    if change.times != 1.0:
        request["times"] = change.times
    if change.policy:
        request |= {"policy": change.policy, "margin": change.margin}
    return request
