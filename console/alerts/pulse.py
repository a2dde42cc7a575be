"""Whether anything about the alerts has changed, for all who look at once: asked of the database once a second."""

from __future__ import annotations

import hashlib
import threading
import time
from typing import Any

from django.db.models import Count, Max, Q, Sum

from console.alerts.models import Alert, Delivery, Silence

PULSE_S = 1.0


class Pulse:
    """This process's last answer. Safe to ask from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._said: dict[str, Any] = {}

    def beat(self, now: float | None = None) -> dict[str, Any]:
        """version: another text whenever a list of alerts would look different; firing: how many do.

        now: monotonic seconds. Older than PULSE_S is read again, by one of those who ask.
        """
        moment = time.monotonic() if now is None else now
        with self._lock:
            if moment - self._read_at >= PULSE_S:
                self._said = read()
                self._read_at = moment
            return self._said


def read() -> dict[str, Any]:
    """As the database has it now: three small aggregates, the first over what is open."""
    open_ones = Alert.objects.exclude(state=Alert.State.RESOLVED).aggregate(
        firing=Count("pk", filter=Q(state=Alert.State.FIRING)),
        open=Count("pk"),
        last=Max("pk"),
        fired=Max("fired_at"),
        seen=Max("acknowledged_at"),
    )
    over = Alert.objects.aggregate(last=Max("resolved_at"))
    silences = Silence.objects.aggregate(last=Max("pk"), ended=Max("ended_at"))
    deliveries = Delivery.objects.aggregate(last=Max("pk"), sent=Max("sent_at"), tries=Sum("tries"))
    said = repr((open_ones, over, silences, deliveries))
    return {"version": hashlib.sha256(said.encode()).hexdigest()[:16], "firing": open_ones["firing"]}


pulse = Pulse()
