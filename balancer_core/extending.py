"""What rules, scores and policies that others bring must have, checked when they are added.

The core looks for nothing by itself: who embeds it adds what was found, as the console does with the entry
points `steelyard.filters`, `steelyard.scores` and `steelyard.policies`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from balancer_core.errors import InvalidInput

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class InvalidRule(InvalidInput):
    """A rule, score or policy that can't be added; field says which and what of it."""


def check_name(rule: object, known: Collection[str]) -> str:
    """The rule's NAME. Errors: InvalidRule, code invalid_name or duplicate."""
    name = getattr(rule, "NAME", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidRule(
            "NAME", "invalid_name", f"{str(name)[:80]!r} is not a name of small letters, digits, _."
        )
    if name in known:
        raise InvalidRule(name, "duplicate", "there is one of that name already.")
    return name


def check_callables(rule: object, name: str, needed: Iterable[str]) -> None:
    """Errors: InvalidRule, code missing, for the first that is not there."""
    for part in needed:
        if not callable(getattr(rule, part, None)):
            raise InvalidRule(f"{name}.{part}", "missing", "it has no such function.")
