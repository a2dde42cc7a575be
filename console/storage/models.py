"""Shards: file trees kept as replicas on hosts of different failure domains, and plans of moves between them."""

from __future__ import annotations

import uuid

from django.db import models

from balancer_core.constraints import HOST
from console.fleet.models import Command, Host
from console.placements.models import Placement


def domain_of(host: Host, level: str) -> str:
    """The failure domain of a host by a label, or by "host"; "" where it lacks the label: then nobody knows it."""
    return host.name if level == HOST else str(host.labels.get(level, ""))


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
        DAMAGED = "damaged"
        RETIRING = "retiring"
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
    # The command that reads the tree again, or deletes what was found damaged.
    scrub = models.ForeignKey(Command, null=True, on_delete=models.SET_NULL, related_name="+")
    # When the whole tree was last read and had the shard's digest; None where that is asked for now.
    verified_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]


class MovePlan(models.Model):
    """Moves that belong together: proposed, then applied, paused, ended.

    bytes_s: what the moves of one host may take of its network, all together. per_host, together: moves at once of
    a host, of the cluster. full: no move fills a host's disk above this share. takes_s: as planned. before, after:
    for each resource the fullest host over the mean.
    """

    class State(models.TextChoices):
        PROPOSED = "proposed"
        RUNNING = "running"
        PAUSED = "paused"
        DONE = "done"
        CANCELLED = "cancelled"

    state = models.CharField(max_length=16, choices=State.choices, default=State.PROPOSED)
    sentence = models.TextField()
    asked = models.JSONField()
    before = models.JSONField()
    after = models.JSONField()
    bytes_s = models.FloatField()
    per_host = models.PositiveIntegerField()
    together = models.PositiveIntegerField()
    full = models.FloatField()
    takes_s = models.FloatField()
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150)
    applied_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]

    @property
    def rate(self) -> float:
        """Bytes/s of one move, so that a host's moves together stay within bytes_s."""
        return self.bytes_s / self.per_host


class Move(models.Model):
    """One replica's way to another host. leaving: the old copy, None once it is gone; arriving: the new one, made
    when the move begins. source and target are names: a move is history when its hosts have gone."""

    class State(models.TextChoices):
        PLANNED = "planned"
        COPYING = "copying"
        DELETING = "deleting"
        UNDOING = "undoing"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    plan = models.ForeignKey(MovePlan, on_delete=models.CASCADE, related_name="moves")
    number = models.PositiveIntegerField()
    shard = models.ForeignKey(Shard, on_delete=models.CASCADE, related_name="moves")
    source = models.CharField(max_length=63)
    target = models.CharField(max_length=63)
    state = models.CharField(max_length=16, choices=State.choices, default=State.PLANNED)
    leaving = models.ForeignKey(Replica, null=True, on_delete=models.SET_NULL, related_name="departures")
    arriving = models.OneToOneField(Replica, null=True, on_delete=models.SET_NULL, related_name="arrival")
    # The command that deletes a tree: the old copy's, or what arrived of a copy that failed.
    drop = models.ForeignKey(Command, null=True, on_delete=models.SET_NULL, related_name="+")
    error = models.CharField(max_length=500, blank=True)
    started_at = models.DateTimeField(null=True)
    cut_over_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["plan", "number"]
        constraints = [models.UniqueConstraint(fields=["plan", "number"], name="move_one_number")]
