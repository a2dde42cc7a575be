"""One thing that is under way, or that somebody should know of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from console.accounts.models import Role


@dataclass(frozen=True)
class Cancel:
    """How to end it: label of the button, the path under /api/v1/ that ends it by POST, and the page's form for the
    same; role: whose it is to end it."""

    label: str
    api: str
    form: str
    role: Role = Role.OPERATOR


@dataclass(frozen=True)
class Task:
    """key: the same at every look. kind: the word of its state, one of the stylesheet's.

    done, total: how far it is; no total where nobody knows. notice: nothing runs, but somebody should know.
    log: the page that tells what happened so far.
    """

    key: str
    kind: str
    title: str
    path: str
    detail: str = ""
    done: int = 0
    total: int = 0
    since: datetime | None = None
    notice: bool = False
    cancel: Cancel | None = None
    log: str = ""

    @property
    def percent(self) -> float:
        """0 to 100, for bars."""
        return round(100 * self.done / self.total, 1) if self.total else 0.0
