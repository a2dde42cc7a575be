"""What a rollout did, for the audit trail."""

from __future__ import annotations

from dataclasses import dataclass

from console.actions import Action, Actor
from console.actions import text as bounded

KINDS = {"refused": "engine.refused", "errors-rose": "engine.rolled-back", "passed": "engine.rolled-out"}
MOST_NAMES = 20


@dataclass
class NoteRollout(Action[None]):
    """One node refused a resource, was taken back from a change, or proved one for the others.

    kind: "refused", "errors-rose" or "passed". names: of the resources. words: the engine's own, or ours.
    """

    kind: str
    node: str
    names: list[str]
    words: str = ""

    NAME = "engine.rollout"

    def allows(self, actor: Actor) -> bool:
        return actor.kind == "system"

    def execute(self, actor: Actor) -> None:
        line = self.line(
            actor,
            "engine",
            bounded(self.node, 200),
            after={"resources": self.names[:MOST_NAMES], "more": max(len(self.names) - MOST_NAMES, 0)},
            reason=bounded(self.words, 500),
        )
        line.action = KINDS[self.kind]
        line.save(force_insert=True)
