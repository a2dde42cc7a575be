"""Keeping what somebody prefers, and what they opened last.

These leave no line in the audit trail: they change nothing but how that person's own pages look, and what one opens
would be a line with every step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from console.accounts.models import Preference, Role, User
from console.accounts.preferences import MOST_KEYS, MOST_RECENTS, checked, declared
from console.actions import Action, Actor, Conflict, NotAllowed, Unknown


class _OwnAction(Action[Any]):
    """What people do for themselves."""

    ROLE = Role.VIEWER

    def _user(self, actor: Actor) -> User:
        if actor.user is None:
            raise NotAllowed(f"{self.NAME}: {actor.name} is no user and has no preferences")
        return actor.user


@dataclass
class SetPreference(_OwnAction):
    """Keep a document under a key for the one who asks. Returns it as it is kept.

    Raises Unknown (no such key), Invalid (not what its schema says), Conflict (too many keys).
    """

    key: str
    document: Any

    NAME = "preference.set"

    def execute(self, actor: Actor) -> Any:
        user, document = self._user(actor), checked(self.key, self.document)
        kept = Preference.objects.filter(user=user)
        if not kept.filter(key=self.key).update(document=document):
            if kept.count() >= MOST_KEYS:
                raise Conflict("too-many", f"at most {MOST_KEYS} preferences are kept of one person")
            Preference.objects.create(user=user, key=self.key, document=document)
        return document


@dataclass
class ForgetPreference(_OwnAction):
    """Back to the default, which is returned."""

    key: str

    NAME = "preference.forget"

    def execute(self, actor: Actor) -> Any:
        default = declared(self.key).default
        Preference.objects.filter(user=self._user(actor), key=self.key).delete()
        return default


@dataclass
class SaveView(_OwnAction):
    """Keep a view of a list under a name; one of that name is replaced. Returns the views of that list."""

    listing: str
    name: str
    query: str

    NAME = "view.save"

    def execute(self, actor: Actor) -> Any:
        view = {"name": self.name, "query": self.query}
        return _keep_views(self._user(actor), actor, self.listing, self.name, [view])


@dataclass
class ForgetView(_OwnAction):
    """Forget the view of that name. Returns the views of that list that are left. Raises Unknown."""

    listing: str
    name: str

    NAME = "view.forget"

    def execute(self, actor: Actor) -> Any:
        user = self._user(actor)
        if not any(each["name"] == self.name for each in _views(user, self.listing)):
            raise Unknown("view", self.name)
        return _keep_views(user, actor, self.listing, self.name, [])


def _views(user: User, listing: str) -> list[dict[str, str]]:
    kept = Preference.objects.select_for_update().filter(user=user, key=f"views.{listing}").first()
    return list(kept.document) if kept else []


def _keep_views(user: User, actor: Actor, listing: str, name: str, new: list[dict[str, str]]) -> Any:
    """The views of another name as they were, then the new ones."""
    others = [each for each in _views(user, listing) if each["name"] != name]
    return SetPreference(f"views.{listing}", [*others, *new]).execute(actor)


@dataclass
class RememberOpened(_OwnAction):
    """Put what was opened from the search in front of the recent things; the oldest falls off. Returns them."""

    kind: str
    thing: str

    NAME = "preference.remember"

    def execute(self, actor: Actor) -> Any:
        kept = Preference.objects.select_for_update().filter(user=self._user(actor), key="recents").first()
        opened = {"kind": self.kind, "key": self.thing}
        others = [each for each in (kept.document if kept else []) if each != opened]
        return SetPreference("recents", [opened, *others][:MOST_RECENTS]).execute(actor)
