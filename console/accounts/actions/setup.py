"""The first administrator comes by a one-time link that only the machine's owner has seen."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils import timezone

from agents.wire import digest
from console.accounts.models import Role, SetupLink, User
from console.actions import Action, Actor, Conflict, Invalid

SETUP_LINK_LIFE = timedelta(hours=24)


def is_set_up() -> bool:
    """Whether there is an administrator who can log in."""
    admins = User.objects.filter(role=Role.ADMIN, is_active=True)
    return admins.exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX).exists()


@dataclass
class IssueSetupLink(Action[str]):
    """Make a new one-time link (older ones close) and return its secret, which is kept nowhere."""

    NAME = "account.setup-link"
    ROLE = Role.ADMIN

    def execute(self, actor: Actor) -> str:
        if is_set_up():
            raise Conflict("already-set-up", "there is an administrator already; ask them for an account")
        SetupLink.objects.filter(used_at=None).delete()
        secret = secrets.token_urlsafe(32)
        SetupLink.objects.create(digest=digest(secret), expires_at=timezone.now() + SETUP_LINK_LIFE)
        self.record(actor, "account", "first administrator")
        return secret


@dataclass
class CreateFirstAdmin(Action[User]):
    """Use the link: make the administrator. The secret is the permission, so the actor is the system itself."""

    secret: str
    username: str
    password: str

    NAME = "account.first-admin"
    ROLE = Role.ADMIN

    def execute(self, actor: Actor) -> User:
        link = SetupLink.objects.select_for_update().filter(digest=digest(self.secret)).first()
        if link is None or not link.is_open() or is_set_up():
            raise Conflict("link-closed", "this link was used or has run out; restart `steelyard up` for a new one")
        if not self.username or User.objects.filter(username=self.username).exists():
            raise Invalid("username", "taken", "choose another name")
        user = User(username=self.username, role=Role.ADMIN)
        try:
            validate_password(self.password, user)
            User.username_validator(self.username)
        except ValidationError as error:
            # A refused password is a list of faults, which has no code of its own.
            at_fault = "username" if getattr(error, "code", "") == "invalid" else "password"
            raise Invalid(at_fault, "weak", " ".join(error.messages)) from None
        user.set_password(self.password)
        user.save()
        link.used_at = timezone.now()
        link.save(update_fields=["used_at"])
        self.record(actor, "account", user.username, after={"role": user.role})
        return user
