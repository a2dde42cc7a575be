"""The ledger, the decisions and the placements that hold parts of it."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from console.fleet.models import Host


class Ledger(models.Model):
    """What one host has of one resource, and how much of it is promised. The truth about room.

    capacity and reserved are in the resource's unit (cores, bytes, bytes/s).
    """

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="ledger")
    resource = models.CharField(max_length=32)
    capacity = models.FloatField()
    reserved = models.FloatField(default=0.0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["host", "resource"], name="ledger_one_line"),
            models.CheckConstraint(condition=Q(reserved__gte=0), name="ledger_reserved_not_negative"),
            models.CheckConstraint(condition=Q(capacity__gte=0), name="ledger_capacity_not_negative"),
        ]

    @property
    def free(self) -> float:
        return self.capacity - self.reserved


class Decision(models.Model):
    """The answer to one question "where?", with its reasons; kept for refusals too.

    asked: what was asked beside kind, name and demand, as asked.asked_of() says it; None where nothing was.
    together: shared by the decisions of one replica set or gang; None for a load that was placed alone.
    preemption: of a refusal, what would have to leave (proposals.propose()); None where nothing would help. Of a job
    that was placed, what left for it (console.jobs.actions.preempt).
    """

    class Outcome(models.TextChoices):
        PLACED = "placed"
        REFUSED = "refused"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    at = models.DateTimeField(auto_now_add=True, db_index=True)
    kind = models.CharField(max_length=16)
    name = models.CharField(max_length=200)
    policy = models.CharField(max_length=64)
    outcome = models.CharField(max_length=16, choices=Outcome.choices)
    host = models.CharField(max_length=63, blank=True)
    sentence = models.TextField()
    document = models.JSONField()
    group = models.CharField(max_length=200, blank=True)
    together = models.UUIDField(null=True)
    asked = models.JSONField(null=True)
    preemption = models.JSONField(null=True)

    class Meta:
        ordering = ["-at"]
        indexes = [
            models.Index(fields=["together"], condition=Q(together__isnull=False), name="decision_together")
        ]


class Placement(models.Model):
    """A committed decision: this load holds these amounts of this host until it is released.

    group: what it counts as for the spread, near and apart of others (groups.py). priority: who may be proposed
    to leave for whom.
    """

    class State(models.TextChoices):
        HELD = "held"
        RELEASED = "released"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    decision = models.OneToOneField(Decision, on_delete=models.PROTECT, related_name="placement")
    host = models.ForeignKey(Host, on_delete=models.PROTECT, related_name="placements")
    kind = models.CharField(max_length=16)
    name = models.CharField(max_length=200, db_index=True)
    demand = models.JSONField()
    group = models.CharField(max_length=200, blank=True)
    priority = models.IntegerField(default=0)
    state = models.CharField(max_length=16, choices=State.choices, default=State.HELD)
    # A caller's own key: asking again with the same one gives the same placement.
    request_key = models.CharField(max_length=128, null=True, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    released_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["host"], condition=Q(state="held"), name="placement_held"),
            # A load without a group is not in it, and costs nothing here.
            models.Index(fields=["group"], condition=Q(state="held", group__gt=""), name="placement_group"),
        ]
