"""What hosts looked like, on disk: rows of bytes, as live.frames shows them, in tiers of falling detail."""

from __future__ import annotations

from django.db import models


class Roster(models.Model):
    """The hosts that the rows of some frames mean, in their order: {name, address, labels, cores} each."""

    digest = models.CharField(max_length=64, unique=True)
    hosts = models.JSONField()


class Frame(models.Model):
    """All hosts at one moment (tier fine) or over the stretch that ends then (the others).

    data: uint8[H, W], a host's bytes together, so that one host's are read without the others': see tiers.
    summary: uint8[18], all hosts as one coarse row, so that the cluster is read without its hosts.
    """

    tier = models.CharField(max_length=8)
    at = models.DateTimeField()
    roster = models.ForeignKey(Roster, on_delete=models.PROTECT, related_name="frames")
    summary = models.BinaryField()
    data = models.BinaryField()

    class Meta:
        ordering = ["at"]
        constraints = [models.UniqueConstraint(fields=["tier", "at"], name="history_one_a_moment")]
