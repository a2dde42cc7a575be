"""Hosts, how they join, and what they are told to do."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone


class HostQuerySet(models.QuerySet["Host"]):
    """Hosts, which keep the moment of their last change whoever changes them."""

    def update(self, **changes: Any) -> int:
        return super().update(**{"changed_at": Now(), **changes})

    def touch(self) -> int:
        """Say that what belongs to these hosts has changed, their ledger."""
        return self.update()


class Host(models.Model):
    """A server with an agent. What it has and has promised stands in its ledger (placements).

    drain_ends_at: when what is left of its drain is ended; None where that only takes as long as it takes.
    drain_ended_at: when that was done.
    changed_at: when its row or its ledger last changed, on the database's clock; who follows hosts reads only what
    is newer (live.intent).
    """

    class State(models.TextChoices):
        ACTIVE = "active"
        CORDONED = "cordoned"
        DRAINING = "draining"

    name = models.CharField(max_length=63, unique=True)
    address = models.GenericIPAddressField()
    labels = models.JSONField(default=dict)
    state = models.CharField(max_length=16, choices=State.choices, default=State.ACTIVE)
    lost_since = models.DateTimeField(null=True)
    drain_ends_at = models.DateTimeField(null=True)
    drain_ended_at = models.DateTimeField(null=True)
    credential_digest = models.CharField(max_length=64, unique=True)
    agent_version = models.CharField(max_length=32, blank=True)
    joined_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(db_default=Now(), db_index=True, editable=False)

    objects = HostQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        self.changed_at = Now()
        if update_fields is not None:
            update_fields = {*update_fields, "changed_at"}
        super().save(*args, update_fields=update_fields, **options)


class HostToken(models.Model):
    """A single-use token with which one agent joins. Only its SHA-256 is kept."""

    public_id = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    expires_at = models.DateTimeField()
    host_name = models.CharField(max_length=63, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    used_at = models.DateTimeField(null=True)
    # The credential that used it: an agent whose answer was lost may repeat, nobody else.
    used_by_digest = models.CharField(max_length=64, blank=True)


class Command(models.Model):
    """One typed verb for one host's agent; delivered at least once, carried out once."""

    class State(models.TextChoices):
        PENDING = "pending"
        DONE = "done"
        FAILED = "failed"
        EXPIRED = "expired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="commands")
    verb = models.CharField(max_length=32)
    args = models.JSONField()
    epoch = models.BigIntegerField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.PENDING)
    result = models.JSONField(null=True)
    error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["created_at"]
        indexes = [models.Index(fields=["host"], condition=models.Q(state="pending"), name="command_pending")]

    def seconds_left(self) -> float:
        return (self.expires_at - timezone.now()).total_seconds()
