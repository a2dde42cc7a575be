"""Alerts and what people have said about them; channels, and what is still to be told by them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class RuleSettings(models.Model):
    """What an operator changed of a built-in rule; None: as it was built. more: subjects beyond those that are kept."""

    rule = models.CharField(max_length=48, unique=True)
    is_on = models.BooleanField(default=True)
    threshold = models.FloatField(null=True)
    raise_after_s = models.FloatField(null=True)
    clear_after_s = models.FloatField(null=True)
    more = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["rule"]
        verbose_name_plural = "rule settings"


class Alert(models.Model):
    """One rule about one subject, from its first sign to its end.

    since: first sign; fired_at: it had held for as long as the rule asks; resolved_at: it had been gone for as long.
    domain: the failure domain (rack=a1) in which one notice tells of all. decision: the last one about the subject
    when it fired. told: the last of its states that channels were told of.
    """

    class State(models.TextChoices):
        PENDING = "pending"
        FIRING = "firing"
        RESOLVED = "resolved"

    rule = models.CharField(max_length=48)
    severity = models.CharField(max_length=8)
    subject_kind = models.CharField(max_length=16)
    subject = models.CharField(max_length=200)
    domain = models.CharField(max_length=150, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    value = models.FloatField()
    sentence = models.CharField(max_length=500)
    since = models.DateTimeField()
    fired_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)
    told = models.CharField(max_length=8, blank=True)
    acknowledged_by = models.CharField(max_length=150, blank=True)
    acknowledged_at = models.DateTimeField(null=True)
    decision = models.UUIDField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "subject"], condition=~Q(state="resolved"), name="alert_open_once"
            )
        ]
        indexes = [
            models.Index(fields=["state"], condition=~Q(state="resolved"), name="alert_open"),
            models.Index(fields=["resolved_at"], name="alert_resolved"),
        ]


class Silence(models.Model):
    """For a while nobody is told of alerts that match. Each pattern is a shell pattern; an empty one matches all."""

    rule = models.CharField(max_length=48, blank=True)
    subject = models.CharField(max_length=200, blank=True)
    domain = models.CharField(max_length=150, blank=True)
    until = models.DateTimeField(db_index=True)
    reason = models.CharField(max_length=500)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]


class Channel(models.Model):
    """A way to people. sealed: its address and secret (channels.read()), for they may be one and the same."""

    class Kind(models.TextChoices):
        APPRISE = "apprise"
        WEBHOOK = "webhook"
        ALERTMANAGER = "alertmanager"

    name = models.CharField(max_length=63, unique=True)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    sealed = models.TextField()
    place = models.CharField(max_length=200)  # what may be shown of the address
    least_severity = models.CharField(max_length=8, default="warning")
    is_on = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    repeated_at = models.DateTimeField(
        null=True
    )  # of an Alertmanager: when it was last told of all that fires

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """One notice for one channel. The outbox owes it; here stands how often it was tried and what came of it."""

    class State(models.TextChoices):
        OWED = "owed"
        SENT = "sent"
        FAILED = "failed"

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="deliveries")
    notice = models.JSONField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.OWED)
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField()
    error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "deliveries"
