"""Leadership: one holder of a row, a rising epoch, no clocks compared between machines.

Theory of operation. The holder renews by raising a counter under its own epoch. A standby watches the
counter by its own monotonic clock; when it has stood still for TTL_S the standby takes the row, conditional on
its not having moved meanwhile, and raises the epoch. A holder that could not renew for TTL_S * 2/3 stops acting
by itself, before anybody may take over. What a paused holder still tries to write is refused by the epoch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import connection
from django.db.models import F

from console.controller.models import Lease
from console.rows import read
from console.turns import writing

ROLE = "controller"
TTL_S = 6.0
RENEW_S = 1.5

# Plain SQL: it is asked before everything that the controller writes.
_LEADS = "SELECT 1 FROM controller_lease WHERE role = %s AND epoch = %s"


class Fenced(Exception):
    """This process no longer leads; nothing was written."""


@dataclass
class Candidate:
    """One process's part in the election. now is always its own monotonic clock, in seconds."""

    name: str
    epoch: int = 0  # > 0 while this process leads
    _seen: tuple[str, int, int] | None = None
    _seen_at: float = 0.0
    _renewed_at: float = field(default=0.0)

    def leads(self, now: float) -> bool:
        """Whether this process may act as the leader right now."""
        return self.epoch > 0 and now - self._renewed_at < TTL_S * 2 / 3

    def campaign(self, now: float) -> bool:
        """Renew, or take over if the holder has stood still. Call every RENEW_S. True while leading."""
        if self.epoch and not self._renew(now):
            self.epoch = 0
        if not self.epoch:
            self._try_to_take(now)
        return self.leads(now)

    def resign(self) -> None:
        """Give the row up, so that a standby need not wait. The epoch stays: it only ever rises."""
        if self.epoch:
            Lease.objects.filter(role=ROLE, holder=self.name, epoch=self.epoch).update(holder="")
            self.epoch = 0

    def _renew(self, now: float) -> bool:
        mine = Lease.objects.filter(role=ROLE, holder=self.name, epoch=self.epoch)
        if mine.update(renewals=F("renewals") + 1):
            self._renewed_at = now
            return True
        return False

    def _try_to_take(self, now: float) -> None:
        row, _ = Lease.objects.get_or_create(role=ROLE, defaults={"holder": "", "epoch": 0, "renewals": 0})
        seen = (row.holder, row.epoch, row.renewals)
        if seen != self._seen:
            self._seen, self._seen_at = seen, now
        if row.holder and now - self._seen_at < TTL_S:
            return
        unchanged = Lease.objects.filter(role=ROLE, holder=row.holder, epoch=row.epoch, renewals=row.renewals)
        if unchanged.update(holder=self.name, epoch=row.epoch + 1, renewals=row.renewals + 1):
            self.epoch, self._renewed_at = row.epoch + 1, now


@contextmanager
def fenced(epoch: int) -> Iterator[None]:
    """A transaction that commits only if this epoch still leads. Raises Fenced otherwise.

    The row is locked, not only read: on PostgreSQL a take-over at the same time then waits for this
    transaction's end. On SQLite the write lock is held from its beginning, and a transaction that finds nothing to
    change syncs nothing.
    """
    with writing():
        if not read(_LEADS + ("" if connection.vendor == "sqlite" else " FOR UPDATE"), [ROLE, epoch]):
            raise Fenced
        yield
