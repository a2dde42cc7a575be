"""Second factors: set up and removed by their owner, given new recovery codes, taken away by an administrator."""

from __future__ import annotations

from dataclasses import dataclass, field

from allauth.core.internal.cryptokit import normalize_user_code
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, validate_totp_code
from django.conf import settings

from agents.wire import digest
from console.accounts.models import Role, UsedCode, User
from console.actions import Action, Actor, Conflict, Invalid, Unknown


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
        codes: list[str] = RecoveryCodes.activate(user).generate_codes()
        return codes


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
        codes: list[str] = RecoveryCodes.activate(user).generate_codes()
        self.record(actor, "account", user.username)
        return codes


@dataclass
class ResetSecondFactor(Action[User]):
    """Take away an account's second factor, for its owner to set up a new one: the phone is lost."""

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


def _remove(user: User) -> None:
    Authenticator.objects.filter(user=user).delete()
