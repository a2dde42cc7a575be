"""API tokens: made, shown once, revoked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.core.exceptions import ValidationError
from knox.models import AuthToken

from console.accounts.models import Role, User
from console.actions import Action, Actor, Invalid, Unknown

LONGEST_LIFE_DAYS = 90


@dataclass
class CreateToken(Action[tuple[AuthToken, str]]):
    """A token that acts as a user. A user who does not exist yet is made with the given role and no password.

    days: how long it lives, 1 to 90. Returns the stored token and the secret text, shown this once.
    """

    username: str
    role: str = ""
    days: int = LONGEST_LIFE_DAYS

    NAME = "account.create-token"
    ROLE = Role.ADMIN

    def execute(self, actor: Actor) -> tuple[AuthToken, str]:
        if not 1 <= self.days <= LONGEST_LIFE_DAYS:
            raise Invalid("days", "out-of-range", f"a token lives 1 to {LONGEST_LIFE_DAYS} days")
        user = User.objects.filter(username=self.username).first()
        if user is None:
            if self.role not in Role.values:
                raise Invalid("role", "unknown", f"a new account needs one of {', '.join(Role.values)}")
            user = User(username=self.username, role=self.role)
            try:
                User.username_validator(self.username)
            except ValidationError as error:
                raise Invalid("username", "invalid", " ".join(error.messages)) from None
            user.set_unusable_password()
            user.save()
        elif self.role and self.role != user.role:
            raise Invalid("role", "differs", f"{user.username} is {user.role}")
        token, text = AuthToken.objects.create(user, expiry=timedelta(days=self.days))
        self.record(actor, "token", token.token_key, after={"user": user.username, "role": user.role})
        return token, text


@dataclass
class RevokeToken(Action[None]):
    """End a token at once, on every process: each request looks it up."""

    token_key: str

    NAME = "account.revoke-token"
    ROLE = Role.ADMIN

    def execute(self, actor: Actor) -> None:
        token = AuthToken.objects.filter(token_key=self.token_key).first()
        if token is None:
            raise Unknown("token", self.token_key)
        token.delete()
        self.record(actor, "token", self.token_key, before={"user": token.user.username})
