"""Commands to agents: given, answered, expired."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.utils import timezone

from console.actions import Actor, AgentAction, is_storable, text
from console.fleet.models import Command, Host
from console.live.bells import ring_commands


def give(host: Host, verb: str, args: dict[str, Any], *, epoch: int, life_s: float) -> Command:
    """Owe a host one command, inside the caller's transaction; ring_commands() after the commit."""
    return Command.objects.create(
        host=host, verb=verb, args=args, epoch=epoch, expires_at=timezone.now() + timedelta(seconds=life_s)
    )


def expire_old_commands() -> int:
    """Close what was not answered in time. Returns how many."""
    return Command.objects.filter(state=Command.State.PENDING, expires_at__lt=timezone.now()).update(
        state=Command.State.EXPIRED, error="the agent did not answer in time"
    )


@dataclass
class AnswerCommand(AgentAction[bool]):
    """An agent says what became of a command of its own host. True where it was still open."""

    command: str
    ok: bool
    result: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    NAME = "host.answer"

    def execute(self, actor: Actor) -> bool:
        try:
            identity = uuid.UUID(self.command)
        except ValueError:
            return False
        state, result, error = Command.State.DONE, self.result, self.error
        if not is_storable(result):
            state, result, error = Command.State.FAILED, {}, "its result can't be kept as JSON"
        elif not self.ok:
            state = Command.State.FAILED
        return bool(
            Command.objects.filter(pk=identity, host__name=actor.name, state=Command.State.PENDING).update(
                state=state, result=result, error=text(error, 500)
            )
        )

    def committed(self, result: bool) -> None:
        if result:
            ring_commands()
