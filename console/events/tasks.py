"""Keeping the tables of history bounded."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from console.events.models import Outbox
from console.placements.models import Decision

KEEP_SENT = timedelta(days=1)
KEEP_DECISIONS = timedelta(days=30)


@shared_task(name="steelyard.keep_house", expires=300)
def keep_house() -> dict[str, int]:
    """Forget sent messages after a day, and decisions that hold nothing after thirty. The audit trail stays."""
    now = timezone.now()
    sent, _ = Outbox.objects.filter(sent_at__lt=now - KEEP_SENT).delete()
    decisions, _ = Decision.objects.filter(at__lt=now - KEEP_DECISIONS, placement=None).delete()
    return {"outbox": sent, "decisions": decisions}
