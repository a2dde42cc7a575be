"""Who may be a node from another machine, what was published last, and what the guard shall let pass."""

from __future__ import annotations

from django.db import models


class NodeToken(models.Model):
    """The credential of a node that comes over a network. Only its SHA-256 is kept; a new one replaces it."""

    name = models.CharField(max_length=63, unique=True)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Published(models.Model):
    """The last target, for a new leader's guard to compare its first one with. One row; weights may be older."""

    epoch = models.BigIntegerField()
    target = models.JSONField()
    at = models.DateTimeField(auto_now=True)


class Force(models.Model):
    """Somebody meant it: for a moment the guard lets this service lose more than half of its endpoints, once."""

    service = models.CharField(max_length=63, unique=True)
    asked_by = models.CharField(max_length=150)
    at = models.DateTimeField(auto_now=True)
