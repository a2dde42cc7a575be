"""This process's last look at what is under way: gathered once for all its browsers, rendered once for each role."""

from __future__ import annotations

import asyncio
import time

from django.template.loader import render_to_string

from console.accounts.models import Role
from console.live import feed
from console.live.threads import in_thread
from console.underway.sources import gather
from console.underway.task import Task

LOOK_S = 1.0
#: A page that is rendered from an older look says that it does not know; its script asks the socket.
OLD_S = 5.0


class Watch:
    """tasks: of the last look. version: rises when they change, so that browsers are only told of changes."""

    def __init__(self) -> None:
        self.version = 0
        self.tasks: list[Task] | None = None
        self._looked_at = float("-inf")
        self._rendered: dict[Role, str] = {}

    @property
    def fresh(self) -> list[Task] | None:
        """The tasks, None where the last look is too old to be shown."""
        return self.tasks if time.monotonic() - self._looked_at <= OLD_S else None

    def look(self) -> None:
        """Gather. Called from a thread."""
        found = gather()
        if found != self.tasks:
            self.tasks, self._rendered = found, {}
            self.version += 1
        self._looked_at = time.monotonic()

    def rendered(self, role: Role) -> str:
        """The strip's lines as HTML for people of this role; the same for all of them."""
        text = self._rendered.get(role)
        if text is None:
            text = render_to_string("underway/lines.html", shown(self.tasks, role))
            self._rendered[role] = text
        return text

    async def run(self) -> None:
        """Look every LOOK_S while anybody looks on. Runs for as long as the process serves."""
        while True:
            await asyncio.sleep(LOOK_S)
            if feed.current().is_watched:
                await in_thread(self.look)


def shown(tasks: list[Task] | None, role: Role) -> dict[str, object]:
    """What the templates of the strip show. Nothing (None) is known where tasks is None."""
    rows = [(task, _why_not(task, role)) for task in tasks or []]
    return {
        "known": tasks is not None,
        "rows": rows,
        "running": sum(not task.notice for task in tasks or []),
        "notices": sum(task.notice for task in tasks or []),
    }


def _why_not(task: Task, role: Role) -> str:
    if task.cancel is None or role.includes(task.cancel.role):
        return ""
    return f"Asks for the role {Role(task.cancel.role).value}; you have the role {role.value}."


watch = Watch()
