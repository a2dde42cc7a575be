"""When a report is worth sending: something changed noticeably, or silence has lasted long enough."""

from __future__ import annotations

from collections.abc import Mapping

from agents.wire import Report

#: A change below this share of capacity moves no decision.
NOTICEABLE_SHARE = 0.01


class Reporter:
    """Turns samples into reports, seq rising by one over the life of the process.

    Where a resource has no declared capacity a change is measured against the amount itself.
    """

    def __init__(self, share: float = NOTICEABLE_SHARE) -> None:
        self._share = share
        self._seq = 0
        self._sent_at = float("-inf")
        self._sent_used: dict[str, float] = {}
        self._known_capacity: dict[str, float] = {}

    def begin(self, capacity: Mapping[str, float]) -> None:
        """A new connection, whose Hello carried this capacity: the first report on it is always due."""
        self._sent_at = float("-inf")
        self._known_capacity = dict(capacity)

    def next(
        self,
        now: float,
        host: str,
        used: Mapping[str, float],
        capacity: Mapping[str, float],
        silence_s: float,
    ) -> Report | None:
        """The report to send now, or None. silence_s: how long nothing may be sent at most."""
        news = dict(capacity) if dict(capacity) != self._known_capacity else None
        if news is None and now - self._sent_at < silence_s and not self._changed(used, capacity):
            return None
        self._seq += 1
        self._sent_at = now
        self._sent_used = dict(used)
        self._known_capacity = dict(capacity)
        return Report(seq=self._seq, host=host, used=dict(used), capacity=news)

    def _changed(self, used: Mapping[str, float], capacity: Mapping[str, float]) -> bool:
        if used.keys() != self._sent_used.keys():
            return True
        for name, amount in used.items():
            before = self._sent_used[name]
            scale = capacity.get(name) or max(amount, before)
            if abs(amount - before) >= self._share * scale and amount != before:
                return True
        return False
