"""API keys of services' clients: made here, shown once, taken away."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from agents.wire import NAME_PATTERN
from console.actions import Action, Actor, Conflict, Invalid, Unknown
from console.live.bells import ring_services
from console.sealing import seal
from console.traffic.models import ApiKey
from console.traffic.references import api_key_users

KEY_BYTES = 32


@dataclass
class MakeApiKey(Action[str]):
    """A new key with which a client of services names itself; it is said this once."""

    name: str

    NAME = "api-key.make"

    def execute(self, actor: Actor) -> str:
        if not NAME_PATTERN.fullmatch(self.name):
            raise Invalid("name", "invalid", "a DNS label: a-z, 0-9 and -, at most 63 characters")
        if ApiKey.objects.filter(name=self.name).exists():
            raise Conflict("name-taken", f"there is a key called {self.name}")
        key = secrets.token_urlsafe(KEY_BYTES)
        ApiKey.objects.create(name=self.name, sealed=seal(key, sealed_place(self.name)))
        self.record(actor, "api-key", self.name)
        return key

    def committed(self, result: str) -> None:
        ring_services()


@dataclass
class RemoveApiKey(Action[None]):
    """The key opens nothing any more; not while a service names it."""

    name: str

    NAME = "api-key.remove"

    def execute(self, actor: Actor) -> None:
        found = ApiKey.objects.select_for_update().filter(name=self.name).first()
        if found is None:
            raise Unknown("API key", self.name)
        users = api_key_users().get(self.name)
        if users:
            raise Conflict("in-use", f"{', '.join(users)} names it; take it from the settings first")
        found.delete()
        self.record(actor, "api-key", self.name)

    def committed(self, result: None) -> None:
        ring_services()


def sealed_place(name: str) -> str:
    """What a key is sealed for."""
    return f"API key {name}"
