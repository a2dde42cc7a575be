"""Credentials of nodes on other machines."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from agents.wire import NAME_PATTERN, digest
from console.accounts.models import Role
from console.actions import Action, Actor, Invalid, Unknown
from console.nodes.models import NodeToken


@dataclass
class IssueNodeToken(Action[str]):
    """Make the token with which a node of this name connects; an earlier one ends. Its text is shown this once."""

    node: str

    NAME = "engine.token"
    ROLE = Role.ADMIN

    def execute(self, actor: Actor) -> str:
        if not NAME_PATTERN.fullmatch(self.node):
            raise Invalid(
                "node", "invalid", "a node's name is a DNS label: a-z, 0-9 and -, at most 63 characters"
            )
        secret = secrets.token_urlsafe(32)
        _, made = NodeToken.objects.update_or_create(name=self.node, defaults={"digest": digest(secret)})
        self.record(actor, "engine", self.node, after={"token": "made" if made else "replaced"})
        return secret


@dataclass
class RevokeNodeToken(Action[None]):
    """A node of this name is let in no more. One that is connected stays so until its stream ends."""

    node: str

    NAME = "engine.revoke"
    ROLE = Role.ADMIN

    def execute(self, actor: Actor) -> None:
        deleted, _ = NodeToken.objects.filter(name=self.node).delete()
        if not deleted:
            raise Unknown("node with a token", self.node)
        self.record(actor, "engine", self.node, after={"token": "revoked"})


def node_of(token: str) -> str | None:
    """The name of the node whose token this is."""
    return NodeToken.objects.filter(digest=digest(token)).values_list("name", flat=True).first()
