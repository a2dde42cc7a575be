"""People and programs that may ask and act, and the one-time links that make the first of them."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac


class Role(models.TextChoices):
    """What somebody may do. Each role includes those before it."""

    VIEWER = "viewer", "Viewer: sees everything"
    OPERATOR = "operator", "Operator: places, drains, changes services"
    POLICY_ADMIN = "policy-admin", "Policy administrator: how the cluster places, for everybody"
    ADMIN = "admin", "Administrator: people, tokens, removal"

    def includes(self, other: Role) -> bool:
        order = list(Role)
        return order.index(self) >= order.index(other)


class User(AbstractUser):
    """A person, or a program that acts by API tokens alone (no usable password)."""

    role = models.CharField(max_length=16, choices=Role.choices, default=Role.VIEWER)
    #: How often all sessions of this account were ended.
    sessions_ended = models.PositiveIntegerField(default=0)

    def has_role(self, role: Role) -> bool:
        return self.is_active and Role(self.role).includes(role)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What a session must be of to be believed: Django's of the password, and of how often they were ended."""
        of_password: str = super()._get_session_auth_hash(secret)  # type: ignore[misc]
        if not self.sessions_ended:
            return of_password
        salted = salted_hmac(
            "steelyard.sessions", f"{of_password} {self.sessions_ended}", secret, algorithm="sha256"
        )
        return salted.hexdigest()


class SetupLink(models.Model):
    """A one-time link, printed on the machine itself, with which the first administrator is made."""

    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def is_open(self) -> bool:
        return self.used_at is None and timezone.now() < self.expires_at


class PasswordLink(models.Model):
    """A one-time link with which an account's owner sets its password."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="password_links")
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def is_open(self) -> bool:
        return self.used_at is None and timezone.now() < self.expires_at and self.user.is_active


class LoginTries(models.Model):
    """Wrong tries to log in, of one account from one address or of one address (actions/logins.py)."""

    key = models.CharField(max_length=64, unique=True)
    tries = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField(db_index=True)
    closed_until = models.DateTimeField()

    class Meta:
        verbose_name = verbose_name_plural = "login tries"


class UsedCode(models.Model):
    """A code of somebody's authenticator app that has opened, as a digest: it opens once."""

    digest = models.CharField(max_length=64, unique=True)
    used_at = models.DateTimeField(auto_now_add=True, db_index=True)


class Preference(models.Model):
    """What one person keeps under one key; the keys and their schemas are declared in preferences.py."""

    LONGEST_KEY = 64

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="preferences")
    key = models.CharField(max_length=LONGEST_KEY)
    document = models.JSONField()
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["key"]
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="preference_once")]

    def __str__(self) -> str:
        return self.key
