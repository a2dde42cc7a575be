"""Scores: one file each, with NAME, MODE (its number in the kernel), assumptions, and terms() for one host.

Lower is better. terms() is the meaning of a score: the kernel is held to it, bit for bit. A score that others
add() has no MODE; its terms() is asked for every host that fits, which is slower (README.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from balancer_core.extending import InvalidRule, check_callables, check_name
from balancer_core.scores import angle, marginal, stranded


class Score(Protocol):
    """What a module in this folder offers."""

    NAME: str
    MODE: int | None
    ADDS_UP: bool

    def terms(
        self,
        capacity: Sequence[float],
        occupied: Sequence[float],
        demand: Sequence[float],
        weights: Sequence[float],
        kinds: Sequence[int],
        doubtful: float,
    ) -> list[float]:
        """One term a resource for one host that fits."""


SCORES: Final[dict[str, Score]] = {module.NAME: module for module in (marginal, stranded, angle)}


def add(score: Score) -> None:
    """One more score, for policies that are added. Errors: InvalidRule."""
    name = check_name(score, SCORES)
    check_callables(score, name, ("terms",))
    if getattr(score, "MODE", 0) is not None:
        raise InvalidRule(
            f"{name}.MODE", "invalid", "only the kernel's own scores have a MODE; write MODE = None."
        )
    if not isinstance(getattr(score, "ADDS_UP", None), bool):
        raise InvalidRule(
            f"{name}.ADDS_UP", "missing", "say True if totals add up over hosts to one sum, else False."
        )
    SCORES[name] = score


def discard(name: str) -> None:
    """Forget a score that was added. Errors: KeyError."""
    del SCORES[name]
