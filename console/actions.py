"""The one way to change anything: an action authorises, validates, executes and records, in one transaction.

Pages, API, command line and background processes all run the same action objects,
so a permission, a check or an audit line can't be present in one of them and missing in another.
"""

from __future__ import annotations

import functools
import json
import re
import uuid
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from django.db import OperationalError, connection, transaction

from console.accounts.models import Role, User
from console.events.models import Event, Outbox
from console.rows import insert
from console.turns import writing

Result = TypeVar("Result")

#: PostgreSQL ended one of two transactions that waited for each other, or that could not both have been first.
_COLLISIONS = ("40001", "40P01")
MOST_TRIES = 3

#: NUL as JSON writes it; a backslash before it that is itself escaped is not its.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class NotAllowed(Exception):
    """The actor lacks the role that the action asks for."""


class Invalid(Exception):
    """What was asked can't be done as asked: field names what is wrong, reason says why and what would do."""

    def __init__(self, field: str, code: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.code, self.reason = field, code, reason


class Unknown(Exception):
    """Nothing of that kind goes by that name."""

    def __init__(self, kind: str, name: object) -> None:
        super().__init__(f"no {kind} is called {name}")
        self.kind, self.name = kind, name


class Conflict(Exception):
    """What was asked does not go with the present state."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


@dataclass(frozen=True)
class Actor:
    """Who acts. act groups all that one request does in the audit trail."""

    kind: str  # "user", "agent" or "system"
    name: str
    user: User | None = None
    address: str = ""
    act: uuid.UUID = field(default_factory=uuid.uuid4)

    def may(self, role: Role) -> bool:
        return self.kind == "system" or (self.user is not None and self.user.has_role(role))


SYSTEM = Actor(kind="system", name="steelyard")


class Action(Generic[Result]):
    """One thing that can be done. Subclasses are dataclasses of their parameters and override execute()."""

    NAME: ClassVar[str]
    ROLE: ClassVar[Role] = Role.OPERATOR

    def allows(self, actor: Actor) -> bool:
        """Whether actor may do this at all."""
        return actor.may(self.ROLE)

    def execute(self, actor: Actor) -> Result:
        """Check against the present state, change it, record() it. Runs inside the transaction."""
        raise NotImplementedError

    def committed(self, result: Result) -> None:
        """What follows once the change is durable: ring a bell, update this process's picture.

        Inside a caller's transaction it waits for that one's commit, and never happens if it is rolled back.
        """

    def run(self, actor: Actor) -> Result:
        """Do it as actor.

        Raises NotAllowed, Invalid, Unknown or Conflict; then nothing has changed.
        """
        if not self.allows(actor):
            raise NotAllowed(f"{self.NAME} is not for {actor.kind} {actor.name}")
        for tried in range(1, MOST_TRIES + 1):
            try:
                with writing():
                    result = self.execute(actor)
                    transaction.on_commit(functools.partial(self.committed, result))
                return result
            except OperationalError as error:
                # Nothing of it was written: it is done again, unless a caller's transaction went with it.
                collided = getattr(error.__cause__, "sqlstate", None) in _COLLISIONS
                if not collided or tried == MOST_TRIES or connection.in_atomic_block:
                    raise
        raise AssertionError("the last try returns or raises")

    def record(self, actor: Actor, subject_kind: str, subject: str, **what: Any) -> None:
        """Write the audit line(). Called by execute(), so it is in the same transaction as the change."""
        insert(self.line(actor, subject_kind, subject, **what))

    def line(
        self, actor: Actor, subject_kind: str, subject: str, *, before: Any = None, after: Any = None, reason: str = ""
    ) -> Event:
        """The audit line, not written yet."""
        return Event(
            act=actor.act,
            actor_kind=actor.kind,
            actor=actor.name,
            address=actor.address,
            action=self.NAME,
            subject_kind=subject_kind,
            subject=subject,
            before=before,
            after=after,
            reason=reason,
        )

    def owe(self, topic: str, payload: dict[str, Any]) -> None:
        """Promise a message to another part, in the same transaction as the change."""
        Outbox.objects.create(topic=topic, payload=payload)


def is_storable(value: Any) -> bool:
    """Whether value can be kept as JSON: no NaN, no bytes, no half characters, and no NUL, which PostgreSQL refuses."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return _NUL.search(text) is None


def text(said: str, most: int) -> str:
    """What an agent said, as it can be kept: at most so many characters, none of them NUL."""
    return said.replace("\0", "")[:most]


class AgentAction(Action[Result]):
    """What only an agent does, for its own host: actor.name is the host its credential names."""

    def allows(self, actor: Actor) -> bool:
        return actor.kind == "agent"
