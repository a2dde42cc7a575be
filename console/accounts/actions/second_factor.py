"""Second factors, an app or keys: set up and removed by their owner, given new recovery codes, taken away by an
administrator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from allauth.core.internal.cryptokit import normalize_user_code
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, validate_totp_code
from allauth.mfa.webauthn.internal.auth import WebAuthn
from django.conf import settings

from agents.wire import digest
from console.accounts.models import Role, UsedCode, User
from console.actions import Action, Actor, Conflict, Invalid, Unknown

#: Keys of one account.
MOST_KEYS = 10
LONGEST_NAME = 60


@dataclass
class SetUpSecondFactor(Action[list[str]]):
    """Keep the secret that an authenticator app has just shown to know. Returns the recovery codes, shown this once."""

    secret: str = field(repr=False)
    code: str = field(repr=False)

    NAME = "account.second-factor"
    ROLE = Role.VIEWER

    def execute(self, actor: Actor) -> list[str]:
        user = _owner(actor)
        if Authenticator.objects.filter(user=user).exists():
            raise Conflict("same", "there is a second factor already; remove it first")
        if not validate_totp_code(self.secret, self.code):
            raise Invalid("code", "wrong", "this is not the code that the app shows now")
        TOTP.activate(user, self.secret)
        self.record(actor, "account", user.username, after={"second_factor": True})
        return _recovery_codes(user)


@dataclass
class AddKey(Action[list[str]]):
    """Keep a key that has just answered this account's challenge; whoever runs this has checked that. As the first
    second factor it comes with recovery codes, which are returned and shown this once."""

    name: str
    credential: Mapping[str, Any] = field(repr=False)

    NAME = "account.key"
    ROLE = Role.VIEWER

    def execute(self, actor: Actor) -> list[str]:
        user = _owner(actor)
        keys = Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN).count()
        if keys >= MOST_KEYS:
            raise Conflict("many", f"there are {MOST_KEYS} keys already; remove one first")
        is_first = not Authenticator.objects.filter(user=user).exists()
        name = self.name.strip()[:LONGEST_NAME] or f"Key {keys + 1}"
        WebAuthn.add(user, name, dict(self.credential))
        self.record(actor, "account", user.username, after={"second_factor": True, "key": name})
        return _recovery_codes(user) if is_first else []


@dataclass
class RemoveKey(Action[None]):
    """Do without one key. Whoever runs this has taken a code. The last second factor is removed as a whole."""

    key: int

    NAME = "account.key-removed"
    ROLE = Role.VIEWER

    def execute(self, actor: Actor) -> None:
        user = _owner(actor)
        factors = Authenticator.objects.filter(user=user).exclude(type=Authenticator.Type.RECOVERY_CODES)
        key = factors.filter(pk=self.key, type=Authenticator.Type.WEBAUTHN).first()
        if key is None:
            raise Unknown("key", self.key)
        if factors.count() == 1:
            raise Conflict("last", "it is your only second factor: remove that as a whole")
        key.delete()
        self.record(actor, "account", user.username, before={"key": key.wrap().name})


@dataclass
class RemoveSecondFactor(Action[None]):
    """Do without it again. Whoever runs this has taken a code of it."""

    NAME = "account.second-factor-removed"
    ROLE = Role.VIEWER

    def execute(self, actor: Actor) -> None:
        user = _owner(actor)
        demanded = settings.STEELYARD_SECOND_FACTOR
        if demanded and user.has_role(Role(demanded)):
            raise Conflict("demanded", f"the role {user.role} must have one here")
        _remove(user)
        self.record(
            actor, "account", user.username, before={"second_factor": True}, after={"second_factor": False}
        )


@dataclass
class NewRecoveryCodes(Action[list[str]]):
    """Make new recovery codes; the old ones open nothing any more. Whoever runs this has taken a code."""

    NAME = "account.recovery-codes"
    ROLE = Role.VIEWER

    def execute(self, actor: Actor) -> list[str]:
        user = _owner(actor)
        Authenticator.objects.filter(user=user, type=Authenticator.Type.RECOVERY_CODES).delete()
        self.record(actor, "account", user.username)
        return _recovery_codes(user)


@dataclass
class ResetSecondFactor(Action[User]):
    """Take away an account's second factor, for its owner to set up a new one: the phone or key is lost. All of the
    account's sessions end: who holds the phone may hold one."""

    person: int

    NAME = "account.second-factor-reset"
    ROLE = Role.ADMIN

    def execute(self, actor: Actor) -> User:
        user = User.objects.select_for_update().filter(pk=self.person).first()
        if user is None:
            raise Unknown("person", self.person)
        if not Authenticator.objects.filter(user=user).exists():
            raise Conflict("none", f"{user.username} has no second factor")
        _remove(user)
        user.sessions_ended += 1
        user.save(update_fields=["sessions_ended"])
        self.record(
            actor, "account", user.username, before={"second_factor": True}, after={"second_factor": False}
        )
        return user


@dataclass
class UseCode(Action[None]):
    """A code of the app opens once, whichever process it is shown to. Raises Conflict the second time."""

    person: int
    code: str = field(repr=False)

    NAME = "account.code"
    ROLE = Role.ADMIN

    def execute(self, actor: Actor) -> None:
        _, is_new = UsedCode.objects.get_or_create(
            digest=digest(f"{self.person}\n{normalize_user_code(self.code)}")
        )
        if not is_new:
            raise Conflict("used", "this code was used already; wait for the next one")


def _owner(actor: Actor) -> User:
    """Their own account, for this transaction. Raises Unknown for who has none."""
    found = User.objects.select_for_update().filter(pk=actor.user.pk if actor.user else None).first()
    if found is None:
        raise Unknown("person", actor.name)
    return found


def _recovery_codes(user: User) -> list[str]:
    codes: list[str] = RecoveryCodes.activate(user).generate_codes()
    return codes


def _remove(user: User) -> None:
    Authenticator.objects.filter(user=user).delete()
