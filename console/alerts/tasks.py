"""Sending what is owed to channels: from the worker, with retries, and never twice at once."""

from __future__ import annotations

import logging
import random
from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from console.alerts.channels import NotSent, send
from console.alerts.models import Channel, Delivery
from console.alerts.notices import TOPIC, refreshed
from console.events.models import Outbox
from console.sealing import Unsealable

log = logging.getLogger(__name__)

MOST_TRIES = 8
FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 900.0
#: While one worker sends, no other tries the same; longer than any channel may take.
CLAIM_S = 60.0
BATCH = 20
LOOKED_AT = 500


@shared_task(name="steelyard.relay_notices", expires=30)
def relay_notices() -> int:
    """Send the deliveries that are due, oldest first; how many were sent. A crash on the way sends one again."""
    sent = tried = 0
    owed = Outbox.objects.filter(sent_at=None, topic=TOPIC).order_by("id")[:LOOKED_AT]
    for row in owed:
        delivery = Delivery.objects.select_related("channel").filter(pk=row.payload["delivery"]).first()
        if delivery is None or delivery.state != Delivery.State.OWED:
            Outbox.objects.filter(pk=row.pk).update(sent_at=timezone.now())
            continue
        if tried >= BATCH or not _claim(delivery):
            continue
        tried += 1
        sent += try_once(delivery)
    return sent


def _claim(delivery: Delivery) -> bool:
    """Whether it is due, and this worker's to try."""
    now = timezone.now()
    return bool(
        Delivery.objects.filter(
            pk=delivery.pk, tries=delivery.tries, state=Delivery.State.OWED, next_try_at__lte=now
        ).update(tries=delivery.tries + 1, next_try_at=now + timedelta(seconds=CLAIM_S))
    )


def try_once(delivery: Delivery) -> bool:
    """Send it now, and write down what came of it."""
    tries = delivery.tries + 1
    is_alertmanager = delivery.channel.kind == Channel.Kind.ALERTMANAGER
    try:
        send(delivery.channel, refreshed(delivery.notice) if is_alertmanager else delivery.notice)
    except (NotSent, Unsealable) as error:
        wait_s = min(FIRST_WAIT_S * 2 ** (tries - 1), LONGEST_WAIT_S) * random.uniform(0.8, 1.2)
        delivery.state = Delivery.State.FAILED if tries >= MOST_TRIES else Delivery.State.OWED
        delivery.next_try_at = timezone.now() + timedelta(seconds=wait_s)
        delivery.error = str(error)[:500]
        log.warning("%s was not told: %s", delivery.channel.name, error)
    else:
        delivery.state, delivery.error, delivery.sent_at = Delivery.State.SENT, "", timezone.now()
    delivery.save(update_fields=["state", "next_try_at", "error", "sent_at"])
    return bool(delivery.state == Delivery.State.SENT)
