"""What was asked of a placement beside its kind, name and demand, as it is kept with the decision."""

from __future__ import annotations

from typing import Any

from balancer_core.placement import Company, Load, Spread

#: Names or domains that are kept of one list; a caller may state a hundred thousand.
MOST_NAMED = 100

_COUNTS = {"spread": "taken", "near": "found", "apart": "found"}


def asked_of(load: Load) -> dict[str, Any] | None:
    """Plain JSON of what the load asks, leaving out what it does not; None where it asks nothing.

    Long lists are cut at MOST_NAMED, and NAME_more says how many are left out.
    """
    asked: dict[str, Any] = {}
    for name in ("group", "priority", "tenant", "labels", "options", "default_version", "marks"):
        if value := getattr(load, name):
            asked[name] = dict(value) if name in ("labels", "options", "marks") else value
    for name in ("pin_hosts", "exclude_hosts"):
        if hosts := getattr(load, name):
            _cut(asked, name, sorted(hosts))
    for name, counts in _COUNTS.items():
        if constraints := getattr(load, name):
            asked[name] = [_constraint(each, counts) for each in constraints]
    if load.prefer:
        asked["prefer"] = [_fields(each) for each in load.prefer]
    return asked or None


def _constraint(constraint: Spread | Company, counts: str) -> dict[str, Any]:
    plain = {name: value for name, value in _fields(constraint).items() if name != counts}
    _cut(plain, counts, sorted(getattr(constraint, counts).items()))
    plain[counts] = dict(plain[counts])
    return plain


def _cut(into: dict[str, Any], name: str, found: list[Any]) -> None:
    into[name] = found[:MOST_NAMED]
    if len(found) > MOST_NAMED:
        into[f"{name}_more"] = len(found) - MOST_NAMED


def _fields(constraint: Any) -> dict[str, Any]:
    return {name: getattr(constraint, name) for name in constraint.__slots__}
