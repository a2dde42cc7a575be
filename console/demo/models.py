"""Which hosts are simulated. Not a label: labels are the agents' words, and a real host could say anything."""

from __future__ import annotations

from django.db import models

from console.fleet.models import Host


class SimulatedHost(models.Model):
    """A host without a machine. number: what its size and its figures are computed from (figures.py)."""

    host = models.OneToOneField(Host, on_delete=models.CASCADE, related_name="simulated")
    number = models.PositiveIntegerField()

    class Meta:
        ordering = ["number"]

    def __str__(self) -> str:
        return str(self.host_id)
