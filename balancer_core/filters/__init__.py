"""Rules that say whether a host may take a load: one file each, with NAME, REASONS, assumptions and cost.

FILTERS is the registry, in the order in which they are asked; a host's reason is the first that said no.
healthy, schedulable and fits are computed again by the kernel in its one pass; tests hold both to the same
answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from balancer_core.filters import company, excluded, fits, healthy, labels, pinned, schedulable, spread
from balancer_core.question import Question

__all__ = ["COMPILED", "FILTERS", "PRECOMPUTED", "Filter"]


class Filter(Protocol):
    """What a module in this folder offers."""

    @property
    def NAME(self) -> str:
        """The rule's id."""

    @property
    def REASONS(self) -> Mapping[str, str]:
        """Reason code to sentence template; verdict v is the v-th code, counted from 1."""

    @property
    def PHRASES(self) -> Mapping[str, str]:
        """Reason code to the words that follow a number of hosts in a summary."""

    def judge(self, question: Question) -> NDArray[np.uint8] | None:
        """uint8[H] of verdicts, 0 for yes; None if the rule has nothing to say about this load."""

    def reason(self, question: Question, row: int, verdict: int) -> str:
        """The sentence for one host that was said no to."""

    def step(self, question: Question, row: int, verdict: int) -> str:
        """What would have to change for this rule to say yes, as an order without its full stop."""


#: The kernel computes these itself, from flags and columns.
COMPILED: Final[dict[str, Filter]] = {healthy.NAME: healthy, schedulable.NAME: schedulable, fits.NAME: fits}

#: These give the kernel its mask of admissible hosts.
PRECOMPUTED: Final[dict[str, Filter]] = {
    module.NAME: module for module in (excluded, pinned, labels, spread, company)
}

FILTERS: Final[dict[str, Filter]] = {
    module.NAME: module for module in (healthy, schedulable, excluded, pinned, labels, spread, company, fits)
}
