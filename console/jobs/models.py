"""Jobs: Celery tasks that the core places and a worker on the chosen host runs."""

from __future__ import annotations

import uuid

from django.db import models

from console.placements.models import Placement


class Job(models.Model):
    """One task. This row is the truth; Celery's message only tells a worker to come and claim it.

    attempt counts placements of this job: a claim or a result of an older attempt is refused.
    """

    class State(models.TextChoices):
        QUEUED = "queued"
        PLACED = "placed"
        DISPATCHED = "dispatched"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"

    #: A host has it, and its agent or the broker knows of it.
    ON_HOST = (State.PLACED, State.DISPATCHED, State.RUNNING)
    ENDED = (State.SUCCEEDED, State.FAILED, State.CANCELLED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    task = models.CharField(max_length=200)
    args = models.JSONField(default=list)
    kwargs = models.JSONField(default=dict)
    demand = models.JSONField()
    labels = models.JSONField(default=dict)
    policy = models.CharField(max_length=64)
    # False: the application publishes the first attempt's message itself, through the client library's router.
    dispatch = models.BooleanField(default=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.QUEUED, db_index=True)
    attempt = models.PositiveIntegerField(default=0)
    placement = models.ForeignKey(Placement, null=True, on_delete=models.SET_NULL, related_name="jobs")
    result = models.JSONField(null=True)
    error = models.TextField(blank=True)
    waiting_for = models.TextField(blank=True)
    request_key = models.CharField(max_length=128, null=True, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    dispatched_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]
