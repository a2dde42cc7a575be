"""Scores: one file each, with NAME, MODE (its number in the kernel), assumptions, and terms() for one host.

Lower is better. terms() is at once the explanation of a decision and the reference that the kernel is held
to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from balancer_core.scores import marginal, stranded


class Score(Protocol):
    """What a module in this folder offers."""

    NAME: str
    MODE: int

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


SCORES: Final[dict[str, Score]] = {marginal.NAME: marginal, stranded.NAME: stranded}
