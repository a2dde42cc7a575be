"""Policies: how to choose among the hosts that may take a load. The registry is POLICIES, name to module.

A policy names a score, declares its options as a JSON schema, and has a version that decisions record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from balancer_core.extending import InvalidRule, check_callables, check_name
from balancer_core.policies import balanced, pack, spread, tenant_fair
from balancer_core.policies.options import InvalidOption, check_options, weights
from balancer_core.scores import SCORES, Score

__all__ = ["POLICIES", "InvalidOption", "Policy", "add", "check_options", "discard", "weights"]


class Policy(Protocol):
    """What a module in this folder offers."""

    NAME: str
    VERSION: str
    SCHEMA: dict[str, Any]

    @property
    def SCORE(self) -> Score:
        """The score whose sum is minimised."""

    def phrase(self, total: str) -> str:
        """What a score of this size says about a host, as the predicate of a sentence."""


POLICIES: Final[dict[str, Policy]] = {module.NAME: module for module in (spread, pack, balanced, tenant_fair)}


def add(policy: Policy) -> None:
    """One more policy, whose SCORE is in SCORES. Errors: InvalidRule."""
    name = check_name(policy, POLICIES)
    check_callables(policy, name, ("phrase",))
    if not isinstance(getattr(policy, "VERSION", None), str):
        raise InvalidRule(f"{name}.VERSION", "missing", "decisions record the version of their policy.")
    schema = getattr(policy, "SCHEMA", None)
    if not isinstance(schema, Mapping) or not isinstance(schema.get("properties"), Mapping):
        raise InvalidRule(
            f"{name}.SCHEMA", "invalid", "options are a JSON schema of an object, with properties."
        )
    if getattr(policy, "SCORE", None) not in SCORES.values():
        raise InvalidRule(f"{name}.SCORE", "unknown", "it is none of the scores; add the score first.")
    POLICIES[name] = policy


def discard(name: str) -> None:
    """Forget a policy that was added. Errors: KeyError."""
    del POLICIES[name]
