"""Letting in whom the OpenID provider vouches for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from allauth.socialaccount.models import SocialAccount

from console.accounts.models import Role, User
from console.actions import Action, Actor, Conflict

#: What a name may not have; the provider's may have anything.
_ODD = re.compile(r"[^\w.@+-]")


@dataclass
class AdmitSubject(Action[User]):
    """The account of one subject of one provider, made at its first login, with the role that the provider gives now.

    The provider's word is the permission, so the actor is the system itself. Raises Conflict where the name is
    somebody else's here, and where the account was switched off.
    """

    provider: str
    subject: str
    name: str
    role: Role

    NAME = "account.sign-in"
    ROLE = Role.ADMIN

    def execute(self, actor: Actor) -> User:
        known = SocialAccount.objects.filter(provider=self.provider, uid=self.subject).first()
        if known is None:
            return self._make(actor)
        user = User.objects.select_for_update().get(pk=known.user_id)
        if not user.is_active:
            raise Conflict("disabled", "This account is switched off.")
        if user.role != self.role:
            # Also the last administrator: what the provider takes is taken, and local accounts are the way back.
            before, user.role = user.role, self.role
            user.save(update_fields=["role"])
            self.record(actor, "account", user.username, before={"role": before}, after={"role": user.role})
        return user

    def _make(self, actor: Actor) -> User:
        name = _ODD.sub("-", self.name or self.subject)[:150]
        if User.objects.filter(username__iexact=name).exists():
            raise Conflict(
                "name-taken",
                f"An account called {name} is here already, and it is not the provider's. Ask an administrator.",
            )
        user = User(username=name, role=self.role)
        user.set_unusable_password()
        user.save()
        SocialAccount.objects.create(user=user, provider=self.provider, uid=self.subject)
        self.record(actor, "account", user.username, after={"role": user.role, "by": "single sign-on"})
        return user
