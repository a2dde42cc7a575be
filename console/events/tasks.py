"""Keeping the tables of history bounded."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.contrib.sessions.models import Session
from django.db.models import QuerySet
from django.utils import timezone

from console.accounts.models import LoginTries, PasswordLink, UsedCode
from console.actions import SYSTEM
from console.alerts.models import Alert, Delivery, Silence
from console.events.models import Outbox
from console.fleet.models import Command, HostToken
from console.jobs.models import Job
from console.placements.models import Decision, Placement
from console.storage.models import Replica
from console.traffic.actions.certificates import WarnOfCertificates

KEEP_SENT = timedelta(days=1)
KEEP_DECISIONS = timedelta(days=30)


@shared_task(name="steelyard.keep_house", expires=300)
def keep_house() -> dict[str, int]:
    """Forget what has been said, ended and released: messages, links and commands after a day; jobs that have ended,
    placements and decisions that hold nothing after thirty. The audit trail stays. And say which certificates end soon.
    """
    now = timezone.now()
    day, month = now - KEEP_SENT, now - KEEP_DECISIONS
    ended = Command.objects.exclude(state=Command.State.PENDING).filter(expires_at__lt=day)
    released = Placement.objects.filter(state=Placement.State.RELEASED, released_at__lt=month, replica=None)
    found = {
        "outbox": Outbox.objects.filter(sent_at__lt=day),
        "commands": ended.exclude(pk__in=_commands_in_use()),
        "host tokens": HostToken.objects.filter(expires_at__lt=month),
        "password links": PasswordLink.objects.filter(expires_at__lt=month),
        "used codes": UsedCode.objects.filter(used_at__lt=day),
        "login tries": LoginTries.objects.filter(last_at__lt=day),
        "alerts": Alert.objects.filter(resolved_at__lt=month),
        "deliveries": Delivery.objects.filter(created_at__lt=month).exclude(state=Delivery.State.OWED),
        "silences": Silence.objects.filter(until__lt=month),
        "sessions": Session.objects.filter(expire_date__lt=now),
        "jobs": Job.objects.filter(ended_at__lt=month),
        "placements": released,
        "decisions": Decision.objects.filter(at__lt=month, placement=None),
    }
    gone = {name: rows.delete()[0] for name, rows in found.items()}
    return {**gone, "certificates warned of": WarnOfCertificates().run(SYSTEM)}


def _commands_in_use() -> QuerySet[Replica]:
    """Those that a replica's present transfer still refers to."""
    replicas = Replica.objects.order_by()  # SQLite takes no order inside a union
    serving = replicas.exclude(serve=None).values("serve")
    return serving.union(replicas.exclude(fetch=None).values("fetch"))
