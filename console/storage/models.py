"""Shards in pools, kept as replicas on hosts of different failure domains, and plans of moves between them."""

from __future__ import annotations

import uuid
from typing import Any, Protocol

from django.db import models

from balancer_core.constraints import HOST
from console.fleet.models import Command, Host
from console.placements.models import Placement

#: Addresses of a cluster that a mover is told; one that answers is enough.
MOST_SEEDS = 8


class Labelled(Protocol):
    """A host, or one that there might be."""

    name: str
    labels: dict[str, str]


def domain_of(host: Labelled, level: str) -> str:
    """The failure domain of a host by a label, or by "host"; "" where it lacks the label: then nobody knows it."""
    return host.name if level == HOST else str(host.labels.get(level, ""))


class StoragePool(models.Model):
    """How the shards of a pool are kept, and where.

    data, parity: a shard is kept as so many pieces, each of bytes / data, and outlives the loss of parity of them.
    One of data is replicas: whole copies. More is an erasure set, which is placed here and filled by others.
    spread_level: the label (zone, rack) or "host" that no two pieces share.
    low, high: shares of a disk. Above low nothing new is placed; above high shards leave.
    policy: by which pieces are placed, "" for the default of shards. mover: who copies them.
    seed, slots: of a Redis or Valkey Cluster, whose shards are runs of at most so many slots, found by looking at it:
    HOST:PORT of a node.
    keep_days: beside a shard's bytes, room for so many days of its growth is reserved.
    automatic: what is done once the fullest host has been above `threshold` times the mean for hold_s, a host above
    high, or one with pieces lost or drained: nothing, a proposal, or carried out. The aim is threshold - margin, and
    what gains less than margin is not worth a plan. bytes_s: of each host's network, for moves that begin so.
    above_since, said: since when that holds, and what was said of it last.
    """

    class Mover(models.TextChoices):
        TREE = "tree"
        NONE = "none"
        REDIS = "redis"

    class Automatic(models.TextChoices):
        OFF = "off"
        PROPOSE = "propose"
        CARRY_OUT = "carry-out"

    name = models.CharField(max_length=63, primary_key=True)
    data = models.PositiveSmallIntegerField(default=1)
    parity = models.PositiveSmallIntegerField(default=1)
    spread_level = models.CharField(max_length=63, default="host")
    low = models.FloatField(default=0.9)
    high = models.FloatField(default=0.95)
    policy = models.CharField(max_length=64, blank=True)
    mover = models.CharField(max_length=16, choices=Mover.choices, default=Mover.TREE)
    seed = models.CharField(max_length=300, blank=True)
    slots = models.PositiveSmallIntegerField(default=64)
    keep_days = models.FloatField(default=0.0)
    automatic = models.CharField(max_length=16, choices=Automatic.choices, default=Automatic.OFF)
    threshold = models.FloatField(default=1.2)
    hold_s = models.FloatField(default=600.0)
    margin = models.FloatField(default=0.05)
    bytes_s = models.FloatField(default=50e6)
    above_since = models.DateTimeField(null=True)
    said = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def pieces(self) -> int:
        return self.data + self.parity

    @property
    def kind(self) -> str:
        if self.mover == self.Mover.REDIS:
            return "redis cluster"
        return "replicas" if self.data == 1 else "erasure"

    @property
    def keeps_in(self) -> str:
        """The resource that its shards fill, which watermarks are shares of."""
        return "memory" if self.mover == self.Mover.REDIS else "disk"

    @property
    def kept_as(self) -> str:
        """In words."""
        if self.mover == self.Mover.REDIS:
            return f"the slots of {self.seed}"
        if self.data > 1:
            return f"erasure {self.data}+{self.parity}"
        return "1 copy" if self.pieces == 1 else f"{self.pieces} copies"


class SlotCluster(models.Model):
    """What was found when a pool's Redis or Valkey Cluster was last looked at.

    nodes: the masters, as {host, address, name}; host "" for one on no host of ours. load_from: "slot-stats" or "keys",
    as agents/slot_survey.py says. open: slots that are between two nodes. error: why the last look came to nothing.
    look: the command that looks; looked_at: when it was given, None to have it given now.
    """

    pool = models.OneToOneField(StoragePool, on_delete=models.CASCADE, related_name="cluster")
    nodes = models.JSONField(default=list)
    load_from = models.CharField(max_length=16, blank=True)
    open = models.JSONField(default=list)
    error = models.CharField(max_length=500, blank=True)
    look = models.ForeignKey(Command, null=True, on_delete=models.SET_NULL, related_name="+")
    looked_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)


class Shard(models.Model):
    """One file tree and where its first copy lies; or a run of slots and the host whose master has it.

    bytes: of the whole shard. growth_bytes_day: given, or learned from sizes, the last ones that were reported as
    [seconds since 1970, bytes]. read_bytes_s, write_bytes_s: of the whole shard; memory_bytes: of each replica;
    cpu: cores, of slots. first_slot, last_slot: both included, None for what is no run of slots.

    digest: SHA-256 hex over the tree's manifest, learned from the source when the first copy is made.
    spread_level: the label (zone, rack) or "host" that no two replicas may share.
    """

    name = models.CharField(max_length=63, unique=True)
    pool = models.ForeignKey(StoragePool, on_delete=models.PROTECT, related_name="shards")
    bytes = models.PositiveBigIntegerField()
    growth_bytes_day = models.FloatField(default=0.0)
    growth_given = models.BooleanField(default=False)
    read_bytes_s = models.FloatField(default=0.0)
    write_bytes_s = models.FloatField(default=0.0)
    memory_bytes = models.FloatField(default=0.0)
    cpu = models.FloatField(default=0.0)
    first_slot = models.PositiveSmallIntegerField(null=True)
    last_slot = models.PositiveSmallIntegerField(null=True)
    sizes = models.JSONField(default=list)
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

    @property
    def told(self) -> dict[str, Any]:
        """What a mover is told of it beside its name."""
        said: dict[str, Any] = {"mover": self.pool.mover}
        if self.first_slot is not None:
            cluster = SlotCluster.objects.filter(pool=self.pool).first()
            nodes = [node["address"] for node in cluster.nodes] if cluster else []
            seeds = list(dict.fromkeys([self.pool.seed, *nodes]))[:MOST_SEEDS]
            said |= {"seeds": seeds, "slots": [self.first_slot, self.last_slot]}
        return said


class Replica(models.Model):
    """One copy of a shard (of an erasure set: one piece) on one host, and how far its making has come.

    leader: the copy that is read and written first; of an erasure set none is.
    """

    class State(models.TextChoices):
        RESERVED = "reserved"
        COPYING = "copying"
        READY = "ready"
        DAMAGED = "damaged"
        RETIRING = "retiring"
        FAILED = "failed"

    shard = models.ForeignKey(Shard, on_delete=models.CASCADE, related_name="replicas")
    placement = models.OneToOneField(Placement, on_delete=models.PROTECT, related_name="replica")
    leader = models.BooleanField(default=False)
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


class Leftover(models.Model):
    """A tree that counts no more and is still to be deleted: its host is told until it says that it has. Meanwhile no
    copy of a shard of that name goes there. told: to its mover, beside the name."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="leftovers")
    shard = models.CharField(max_length=63)
    told = models.JSONField(default=dict)
    drop = models.ForeignKey(Command, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["host", "shard"], name="leftover_once")]


class DiskSeen(models.Model):
    """What was in use of a host's disk, now and then: samples of [seconds since 1970, bytes], oldest first."""

    host = models.OneToOneField(Host, on_delete=models.CASCADE, related_name="disk_seen")
    samples = models.JSONField(default=list)


class MovePlan(models.Model):
    """Moves that belong together: proposed, then applied, paused, ended.

    pool: whose shards move, "" for those of all. automatic: made by the controller for its pool. undoes: the plan
    whose moves these take back.
    bytes_s: what the moves of one host may take of its network, all together. per_host, together: moves at once of
    a host, of the cluster. full: no move fills a host's disk above this share. takes_s: as planned, headers
    included. before, after: for each resource the fullest host over the mean. frontier: what other aims would come to,
    this one among them (console.storage.search); empty where there is nothing to choose.
    """

    class State(models.TextChoices):
        PROPOSED = "proposed"
        RUNNING = "running"
        PAUSED = "paused"
        DONE = "done"
        CANCELLED = "cancelled"

    state = models.CharField(max_length=16, choices=State.choices, default=State.PROPOSED)
    pool = models.CharField(max_length=63, blank=True)
    automatic = models.BooleanField(default=False)
    undoes = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="undone_by")
    sentence = models.TextField()
    asked = models.JSONField()
    before = models.JSONField()
    after = models.JSONField()
    frontier = models.JSONField(default=list)
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
