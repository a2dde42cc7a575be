"""What bulk actions came to."""

from __future__ import annotations

import uuid

from django.db import models


class BulkAct(models.Model):
    """One action on many things, or taking one back. id: the act under which the audit trail groups them.

    results: for each thing {item, done, before, after, reason}.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    at = models.DateTimeField(auto_now_add=True)
    actor = models.CharField(max_length=150)
    action = models.CharField(max_length=64)
    reason = models.CharField(max_length=500, blank=True)
    results = models.JSONField(default=list)
    undoes = models.OneToOneField("self", null=True, on_delete=models.SET_NULL, related_name="undone_by")

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.action} by {self.actor}"
