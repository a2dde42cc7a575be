"""How loads are placed that name no policy: each change a version, the newest of a kind holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.db import models


class PolicyVersion(models.Model):
    """One version of the default policy of one kind of load. Never changed; going back makes a new one.

    restored: the version it went back to, 0 for what was built in; None where it was made anew.
    """

    class Kind(models.TextChoices):
        SERVICE = "service"
        JOB = "job"
        SHARD = "shard"

    kind = models.CharField(max_length=16, choices=Kind.choices)
    number = models.PositiveIntegerField()
    policy = models.CharField(max_length=64)
    options = models.JSONField(default=dict)
    restored = models.PositiveIntegerField(null=True)
    made_by = models.CharField(max_length=150)
    made_at = models.DateTimeField(auto_now_add=True)
    reason = models.CharField(max_length=500)

    class Meta:
        ordering = ["kind", "-number"]
        constraints = [models.UniqueConstraint(fields=["kind", "number"], name="policy_version_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"

    @property
    def words(self) -> str:
        """Its options, as the command line says them."""
        return ", ".join(
            f"{path}={json.dumps(value, ensure_ascii=False)}" for path, value in flat(self.options)
        )


def flat(options: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    """Options as pairs of a path with dots and a value: weights.cpu, 2."""
    found: list[tuple[str, Any]] = []
    for key, value in options.items():
        if isinstance(value, dict) and value:
            found += flat(value, f"{before}{key}.")
        else:
            found.append((f"{before}{key}", value))
    return found
