"""History is kept for a while; the audit trail and what is in use stay."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from balancer_core.placement import Load
from console.actions import SYSTEM
from console.alerts.models import Alert, Channel, Delivery, Silence
from console.events.models import Event, Outbox
from console.events.tasks import keep_house
from console.fleet.actions.commands import give
from console.fleet.models import Command, HostToken
from console.placements.actions.commit import FitsNowhere
from console.placements.actions.place import Place
from console.placements.actions.release import Release
from console.placements.models import Decision, Placement


def test_what_is_over_leaves_and_what_is_held_stays(cluster: Any) -> None:
    """Old sent messages, answered commands, used tokens, refusals and released placements go."""
    host = cluster.add("web-1")
    load = Load(kind="job", name="j", demand={"cpu": 1.0})
    held, released = (Place(load).run(SYSTEM) for _ in range(2))
    Release(released.pk).run(SYSTEM)
    with pytest.raises(FitsNowhere):
        Place(Load(kind="job", name="j", demand={"cpu": 99.0})).run(SYSTEM)
    assert Decision.objects.filter(outcome="refused").count() == 1
    old = timezone.now() - timedelta(days=40)
    for state in ("pending", "done"):
        give(host, "shard.drop", {}, epoch=1, life_s=1.0)
        Command.objects.filter(state="pending").exclude(state="done").update(state=state, expires_at=old)
    Outbox.objects.bulk_create(Outbox(topic="t", payload={}, sent_at=at) for at in (old, None))
    Decision.objects.update(at=old)
    Placement.objects.filter(state="released").update(released_at=old)
    HostToken.objects.update(expires_at=old)
    events = Event.objects.count()

    keep_house()
    keep_house()

    assert [held.pk] == list(Placement.objects.values_list("pk", flat=True))
    assert [held.decision_id] == list(Decision.objects.values_list("pk", flat=True))
    assert list(Outbox.objects.values_list("sent_at", flat=True)) == [None]
    assert not Command.objects.filter(state="done").exists()
    assert not HostToken.objects.exists()
    assert events == Event.objects.count()


def test_alerts_that_are_over_leave_after_a_month_and_open_ones_stay(database: None) -> None:
    """With their silences and deliveries; what is still owed is not forgotten."""
    now = timezone.now()
    old = now - timedelta(days=40)
    channel = Channel.objects.create(name="c", kind="webhook", sealed="", place="http://x")
    for subject, state, over in (("a", "firing", None), ("b", "resolved", old), ("c", "resolved", now)):
        Alert.objects.create(
            rule="host-lost", severity="critical", subject_kind="host", subject=subject, state=state, value=1.0,
            sentence="Gone.", since=old, fired_at=old, resolved_at=over,
        )  # fmt: skip
        Silence.objects.create(subject=subject, until=over or now, reason="work", created_by="ada")
    for state in ("owed", "sent", "failed"):
        Delivery.objects.create(channel=channel, notice={}, state=state, next_try_at=old)
    Delivery.objects.update(created_at=old)

    keep_house()

    assert ["a", "c"] == list(Alert.objects.order_by("subject").values_list("subject", flat=True))
    assert ["a", "c"] == list(Silence.objects.order_by("subject").values_list("subject", flat=True))
    assert ["owed"] == list(Delivery.objects.values_list("state", flat=True))
