"""What can become of a host, an endpoint, a job, a replica and its moves: tables of state, event, next state.

Rules
1. Every state a thing can be in, and every way out of it, stands in its table; nobody else sets a state.
2. A state with no way out is final.
3. The tables know nothing of who raises an event, when, or what has to be done about it.

Theory of operation
A table maps state -> event -> next state. advance() looks one step up and refuses what is not there, so that
two
processes that act on the same thing cannot both succeed: the second finds its event refused in the new state.
The console's steppers and the diagrams in the docs are made from these tables.

Two tables speak of a host: HOST is what an operator wants of it, CONTACT whether it is heard of. They are
apart because a wish (cordon, drain) outlives a silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

Table = Mapping[str, Mapping[str, str]]


class InvalidTransition(ValueError):
    """An event that the state has no way out for."""

    def __init__(self, state: str, event: str, allowed: tuple[str, ...]) -> None:
        offered = ", ".join(allowed) or "nothing, it is final"
        super().__init__(f'"{event}" cannot happen in state "{state}"; possible: {offered}')
        self.state = state
        self.event = event
        self.allowed = allowed


HOST: Final[Table] = {
    "active": {"cordon": "cordoned", "drain": "draining", "remove": "removed"},
    "cordoned": {"uncordon": "active", "drain": "draining", "remove": "removed"},
    "draining": {"uncordon": "active", "cordon": "cordoned", "remove": "removed"},
    "removed": {},
}

CONTACT: Final[Table] = {
    "heard": {"silent": "lost"},
    "lost": {"reported": "heard"},
}

ENDPOINT: Final[Table] = {
    "starting": {"passed": "healthy", "failed": "unhealthy", "drain": "draining", "remove": "removed"},
    "healthy": {"failed": "unhealthy", "drain": "draining", "remove": "removed"},
    "unhealthy": {"passed": "healthy", "drain": "draining", "remove": "removed"},
    "draining": {"restore": "starting", "drained": "removed", "remove": "removed"},
    "removed": {},
}

#: A worker may claim an attempt before its dispatch is written down: the message is quicker than the row.
#: retry: its body failed and may fail again; lose: the attempt's worker is gone; set_aside: it has taken too many
#: workers with it, and an operator has to look; preempt: a job of a higher priority takes its room; expire: its
#: deadline has passed; doom: what it waits for has failed.
JOB: Final[Table] = {
    "blocked": {"unblock": "queued", "doom": "failed", "expire": "failed", "cancel": "cancelled"},
    "queued": {"place": "placed", "expire": "failed", "cancel": "cancelled"},
    "placed": {
        "dispatch": "dispatched",
        "claim": "running",
        "lose": "queued",
        "preempt": "queued",
        "expire": "failed",
        "cancel": "cancelled",
    },
    "dispatched": {
        "claim": "running",
        "lose": "queued",
        "preempt": "queued",
        "expire": "failed",
        "cancel": "cancelled",
    },
    "running": {
        "succeed": "succeeded",
        "fail": "failed",
        "retry": "queued",
        "lose": "queued",
        "preempt": "queued",
        "set_aside": "set_aside",
        "expire": "failed",
        "cancel": "cancelled",
    },
    "set_aside": {"release": "queued", "expire": "failed", "cancel": "cancelled"},
    "succeeded": {},
    "failed": {},
    "cancelled": {},
}

REPLICA: Final[Table] = {
    "reserved": {"copy": "copying", "fail": "failed", "remove": "removed"},
    "copying": {"verify": "ready", "retry": "reserved", "fail": "failed", "remove": "removed"},
    "ready": {"retire": "retiring", "damage": "damaged", "remove": "removed"},
    "damaged": {"repair": "reserved", "remove": "removed"},
    "retiring": {"remove": "removed"},
    "failed": {"retry": "reserved", "remove": "removed"},
    "removed": {},
}

#: A replica's way to another host. Until the cut over the old copy counts, from then on the new one; the old one's
#: tree is deleted only while enough others are there.
MOVE: Final[Table] = {
    "planned": {"copy": "copying", "cancel": "cancelled", "fail": "failed"},
    "copying": {"cut_over": "deleting", "undo": "undoing"},
    "deleting": {"deleted": "done"},
    "undoing": {"undone": "failed"},
    "done": {},
    "failed": {},
    "cancelled": {},
}

#: A plan of moves: nothing moves before somebody applied it.
MOVE_PLAN: Final[Table] = {
    "proposed": {"apply": "running", "cancel": "cancelled"},
    "running": {"pause": "paused", "cancel": "cancelled", "finish": "done"},
    "paused": {"resume": "running", "cancel": "cancelled"},
    "done": {},
    "cancelled": {},
}

TABLES: Final[Mapping[str, Table]] = {
    "host": HOST,
    "contact": CONTACT,
    "endpoint": ENDPOINT,
    "job": JOB,
    "replica": REPLICA,
    "move": MOVE,
    "move plan": MOVE_PLAN,
}


def advance(table: Table, state: str, event: str) -> str:
    """The state after an event.

    Errors: InvalidTransition if the state, or the event in it, is not in the table.
    """
    ways = table.get(state, {})
    if event not in ways:
        raise InvalidTransition(state, event, tuple(ways))
    return ways[event]


def is_final(table: Table, state: str) -> bool:
    """Whether nothing more can become of it. Errors: KeyError for a state that is not in the table."""
    return not table[state]
