"""One-time tokens with which agents join."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from agents.wire import NAME_PATTERN, digest
from console.accounts.models import Role
from console.actions import Action, Actor, Invalid
from console.fleet.models import HostToken

DEFAULT_LIFE_S = 15 * 60
LONGEST_LIFE_S = 24 * 3600


@dataclass
class IssueHostToken(Action[str]):
    """Make a token for one join. Returns its text (ID.SECRET), shown this once.

    host_name: only a host of this name may use it ("" = any new name). life_s: seconds it stays open.
    """

    host_name: str = ""
    life_s: int = DEFAULT_LIFE_S

    NAME = "host.token"
    ROLE = Role.OPERATOR

    def execute(self, actor: Actor) -> str:
        if self.host_name and not NAME_PATTERN.fullmatch(self.host_name):
            raise Invalid(
                "host_name", "invalid", "a host's name is a DNS label: a-z, 0-9 and -, at most 63 characters"
            )
        if not 1 <= self.life_s <= LONGEST_LIFE_S:
            raise Invalid("life_s", "out-of-range", f"between 1 and {LONGEST_LIFE_S} seconds")
        public_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        HostToken.objects.create(
            public_id=public_id,
            digest=digest(secret),
            expires_at=timezone.now() + timedelta(seconds=self.life_s),
            host_name=self.host_name,
            created_by=actor.user,
        )
        self.record(
            actor, "host-token", public_id, after={"host": self.host_name or "any", "life_s": self.life_s}
        )
        return f"{public_id}.{secret}"
