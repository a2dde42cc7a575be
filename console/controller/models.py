"""The leader's lease."""

from __future__ import annotations

from django.db import models


class Lease(models.Model):
    """Who leads. One row a role; epoch rises with every change of holder and fences older writers.

    renewals is a counter, not a time: a standby judges by its own monotonic clock how long the
    row has stood still, so no two machines' clocks are ever compared.
    """

    role = models.CharField(max_length=32, primary_key=True)
    holder = models.CharField(max_length=100)
    epoch = models.BigIntegerField()
    renewals = models.BigIntegerField()
