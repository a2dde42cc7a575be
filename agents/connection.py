"""The WebSocket of the link, on which whole messages come and go without waiting for a task's turn."""

from __future__ import annotations

from collections.abc import Callable

from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State


class Connection(ClientConnection):
    """As websockets has it, and: take is given each message as it comes, say() sends one at once.

    By recv() and send() a job that does nothing cost the agent half as much again, for tasks to be woken and turns of
    the loop. What this leans on websockets does not promise to keep, so pyproject.toml bounds its version.
    """

    #: None: messages wait for recv(), as those in several frames always do.
    take: Callable[[bytes], None] | None = None

    def process_event(self, event: Frame | Response) -> None:  # type: ignore[override]
        if self.take is not None and isinstance(event, Frame) and event.opcode is Opcode.BINARY and event.fin:
            self.take(bytes(event.data))
        else:
            super().process_event(event)

    def say(self, message: bytes) -> bool:
        """False where send() has to be waited for: the other side is slow, or the connection ends."""
        if self.paused or self.protocol.state is not State.OPEN:
            return False
        self.protocol.send_binary(message)
        self.send_data()
        return True
