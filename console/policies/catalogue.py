"""The policies that are installed, as people and programs read of them: what they are for, and their options."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from balancer_core.policies import POLICIES


@dataclass(frozen=True)
class Described:
    """summary: the first sentence of what the policy says of itself; about: all of it."""

    name: str
    version: str
    summary: str
    about: str
    schema: dict[str, Any]


def described(name: str) -> Described:
    """One policy. Raises KeyError."""
    policy = POLICIES[name]
    # Of anything but a module or a class it would be its type's.
    about = (inspect.getdoc(policy) or "") if inspect.ismodule(policy) or inspect.isclass(policy) else ""
    first = " ".join(about.partition("\n\n")[0].split())
    return Described(name, policy.VERSION, first, about, dict(policy.SCHEMA))


def installed() -> list[Described]:
    return [described(name) for name in POLICIES]
