"""Policies: how to choose among the hosts that may take a load. The registry is POLICIES, name to module.

A policy names a score, declares its options as a JSON schema, and has a version that decisions record.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from balancer_core.policies import pack, spread
from balancer_core.policies.options import InvalidOption, check_options, weights
from balancer_core.scores import Score

__all__ = ["POLICIES", "InvalidOption", "Policy", "check_options", "weights"]


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


POLICIES: Final[dict[str, Policy]] = {spread.NAME: spread, pack.NAME: pack}
