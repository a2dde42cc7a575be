"""What if: hosts drained, removed or added, loads times x, another policy; what would move where, and what not.

A question to a snapshot: nothing is placed, reserved or moved by it.
"""

from __future__ import annotations

from balancer_core.whatif.change import Change, InvalidChange, Newcomer
from balancer_core.whatif.foresee import foresee
from balancer_core.whatif.outcome import Figures, HostLoad, Move, Outcome, Stranded
from balancer_core.whatif.scene import Held

__all__ = [
    "Change",
    "Figures",
    "Held",
    "HostLoad",
    "InvalidChange",
    "Move",
    "Newcomer",
    "Outcome",
    "Stranded",
    "foresee",
]
