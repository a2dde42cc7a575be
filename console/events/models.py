"""What happened (the audit trail) and what must still be told to others (the outbox)."""

from __future__ import annotations

import uuid

from django.db import models


class Event(models.Model):
    """One thing that somebody or something did. Append-only; written in the transaction of the change."""

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    act = models.UUIDField(default=uuid.uuid4, db_index=True)
    actor_kind = models.CharField(max_length=16)
    actor = models.CharField(max_length=150)
    address = models.CharField(max_length=64, blank=True)
    action = models.CharField(max_length=64, db_index=True)
    subject_kind = models.CharField(max_length=32)
    subject = models.CharField(max_length=200, db_index=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.actor}: {self.action} {self.subject}"


class Outbox(models.Model):
    """A message owed to another part, committed with the change that owes it.

    A broker only rings a bell: whoever relays reads from here, and a message
    lost on the way is sent again. Receivers take a repeat as the same message.
    tries, error, not_before: of one that could not be sent, how often, why, and until when it is put aside; the others
    go on.
    """

    topic = models.CharField(max_length=32)
    payload = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True)
    tries = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)
    not_before = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["id"], condition=models.Q(sent_at=None), name="outbox_unsent")]
