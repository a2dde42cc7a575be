"""People: accounts are made, given roles, switched off and on; a password is set by a one-time link, by its owner."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils import timezone

from agents.wire import digest
from console.accounts.models import PasswordLink, Role, User
from console.actions import Action, Actor, Conflict, Invalid, Unknown

LINK_LIFE = timedelta(hours=24)


class _OfPerson(Action[User]):
    """What is done to one account."""

    person: int
    ROLE = Role.ADMIN

    def _find(self) -> User:
        found = User.objects.select_for_update().filter(pk=self.person).first()
        if found is None:
            raise Unknown("person", self.person)
        return found

    def _check_someone_is_left(self, person: User) -> None:
        """Somebody must be able to let others in again, and nobody locks themselves out by mistake."""
        others = User.objects.filter(role=Role.ADMIN, is_active=True).exclude(pk=person.pk)
        if person.role == Role.ADMIN and person.is_active and not others.exists():
            raise Conflict("last-administrator", f"{person.username} is the only administrator")


@dataclass
class CreatePerson(Action[User]):
    """Make an account without a password: its owner sets one by a password link."""

    username: str
    role: str

    NAME = "account.create"
    ROLE = Role.ADMIN

    def execute(self, actor: Actor) -> User:
        check_role(self.role)
        try:
            User.username_validator(self.username)
        except ValidationError as error:
            raise Invalid("username", "invalid", " ".join(error.messages)) from None
        if not 1 <= len(self.username) <= 150:
            raise Invalid("username", "invalid", "1 to 150 characters")
        if User.objects.filter(username__iexact=self.username).exists():
            raise Invalid("username", "taken", f"{self.username} is there already")
        made = User(username=self.username, role=self.role)
        made.set_unusable_password()
        made.save()
        self.record(actor, "account", made.username, after={"role": made.role})
        return made


@dataclass
class ChangeRole(_OfPerson):
    """Give an account another role; it holds from its next request on."""

    person: int
    role: str

    NAME = "account.role"

    def execute(self, actor: Actor) -> User:
        check_role(self.role)
        found = self._find()
        if found.role == self.role:
            raise Conflict("same", f"{found.username} is {self.role} already")
        if self.role != Role.ADMIN:
            self._check_someone_is_left(found)
        before, found.role = found.role, self.role
        found.save(update_fields=["role"])
        self.record(actor, "account", found.username, before={"role": before}, after={"role": found.role})
        return found


@dataclass
class DisablePerson(_OfPerson):
    """Switch an account off: its sessions and tokens open nothing from the next request on. What it did stays."""

    person: int

    NAME = "account.disable"

    def execute(self, actor: Actor) -> User:
        found = self._find()
        if not found.is_active:
            raise Conflict("same", f"{found.username} is switched off already")
        if actor.user is not None and actor.user.pk == found.pk:
            raise Conflict("yourself", "ask another administrator: this is your own account")
        self._check_someone_is_left(found)
        found.is_active = False
        found.save(update_fields=["is_active"])
        PasswordLink.objects.filter(user=found, used_at=None).delete()
        self.record(actor, "account", found.username, before={"active": True}, after={"active": False})
        return found


@dataclass
class EnablePerson(_OfPerson):
    """Switch an account on again, with the role, the password and the tokens that it had."""

    person: int

    NAME = "account.enable"

    def execute(self, actor: Actor) -> User:
        found = self._find()
        if found.is_active:
            raise Conflict("same", f"{found.username} is switched on")
        found.is_active = True
        found.save(update_fields=["is_active"])
        self.record(actor, "account", found.username, before={"active": False}, after={"active": True})
        return found


@dataclass
class IssuePasswordLink(Action[str]):
    """A link by which its owner sets a password, once, within a day. Returns its secret, which is kept nowhere."""

    person: int

    NAME = "account.password-link"
    ROLE = Role.ADMIN

    def execute(self, actor: Actor) -> str:
        found = User.objects.select_for_update().filter(pk=self.person).first()
        if found is None:
            raise Unknown("person", self.person)
        if not found.is_active:
            raise Conflict("disabled", f"{found.username} is switched off")
        PasswordLink.objects.filter(user=found, used_at=None).delete()
        secret = secrets.token_urlsafe(32)
        PasswordLink.objects.create(user=found, digest=digest(secret), expires_at=timezone.now() + LINK_LIFE)
        self.record(actor, "account", found.username, after={"link_h": LINK_LIFE.total_seconds() / 3600})
        return secret


@dataclass
class SetPassword(Action[User]):
    """Use the link. The secret is the permission, so the actor is the system itself; older sessions end."""

    secret: str = field(repr=False)
    password: str = field(repr=False)

    NAME = "account.set-password"
    ROLE = Role.ADMIN

    def execute(self, actor: Actor) -> User:
        link = PasswordLink.objects.select_for_update().filter(digest=digest(self.secret)).first()
        if link is None or not link.is_open():
            raise Conflict("link-closed", "this link was used or has run out; ask for a new one")
        try:
            validate_password(self.password, link.user)
        except ValidationError as error:
            raise Invalid("password", "weak", " ".join(error.messages)) from None
        link.user.set_password(self.password)
        link.user.save(update_fields=["password"])
        link.used_at = timezone.now()
        link.save(update_fields=["used_at"])
        self.record(actor, "account", link.user.username)
        return link.user


def check_role(role: str) -> None:
    """Raises Invalid for what is no role."""
    if role not in Role.values:
        raise Invalid("role", "unknown", f"one of {', '.join(Role.values)}")
