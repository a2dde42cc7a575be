"""Shards: file trees kept as replicas on hosts of different failure domains."""

from __future__ import annotations

import uuid

from django.db import models

from console.fleet.models import Command, Host
from console.placements.models import Placement


class Shard(models.Model):
    """One file tree and where its first copy lies.

    digest: SHA-256 hex over the tree's manifest, learned from the source when the first copy is made.
    spread_level: the label (zone, rack) or "host" that no two replicas may share.
    """

    name = models.CharField(max_length=63, unique=True)
    bytes = models.PositiveBigIntegerField()
    replica_count = models.PositiveIntegerField()
    spread_level = models.CharField(max_length=63)
    source_host = models.ForeignKey(Host, on_delete=models.PROTECT, related_name="source_shards")
    source_path = models.CharField(max_length=500)
    digest = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Replica(models.Model):
    """One copy of a shard on one host, and how far its making has come."""

    class State(models.TextChoices):
        RESERVED = "reserved"
        COPYING = "copying"
        READY = "ready"
        FAILED = "failed"

    shard = models.ForeignKey(Shard, on_delete=models.CASCADE, related_name="replicas")
    placement = models.OneToOneField(Placement, on_delete=models.PROTECT, related_name="replica")
    state = models.CharField(max_length=16, choices=State.choices, default=State.RESERVED)
    attempt = models.PositiveIntegerField(default=0)
    # Both commands of the transfer under way; a new attempt makes new ones.
    serve = models.ForeignKey(Command, null=True, on_delete=models.SET_NULL, related_name="+")
    fetch = models.ForeignKey(Command, null=True, on_delete=models.SET_NULL, related_name="+")
    transfer = models.UUIDField(default=uuid.uuid4)
    retry_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=500, blank=True)
    ready_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
