"""Obeying: each command is carried out once, within its time, and only if it comes from the newest leader."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from agents.wire import Command, Outcome

#: A verb takes its arguments and the moment (on the desk's clock) after which it must have given up.
Verb = Callable[[dict[str, Any], float], Awaitable[dict[str, Any]]]

MEMORY = 1024
MAX_RUNNING = 64
#: A verb gives up by itself at its deadline and cleans up; only one that hangs is cut off, this much later.
GRACE_S = 5.0
#: Outcomes younger than this go out again after a reconnect; the control plane may not have had them.
RESEND_S = 300.0
MAX_RESENT = 64

log = logging.getLogger("steelyard.agent")


class Refusal(Exception):
    """A verb could not be carried out; the text is the outcome's error."""


class CommandDesk:
    """Takes commands, runs verbs, remembers outcomes.

    deliver: called with each Outcome as it comes to be; resend() gives again those that may have been lost.
    An act that was never begun (stale, expired, too many) is not remembered: it may be asked for again.
    """

    def __init__(
        self,
        verbs: Mapping[str, Verb],
        clock: Callable[[], float],
        epoch: int = 0,
        save_epoch: Callable[[int], None] = lambda epoch: None,
    ) -> None:
        self._verbs = dict(verbs)
        self._clock = clock
        self._epoch = epoch
        self._save_epoch = save_epoch
        self._running: dict[str, asyncio.Task[None]] = {}
        self._done: OrderedDict[str, tuple[float, Outcome]] = OrderedDict()
        self.deliver: Callable[[Outcome], None] = lambda outcome: None

    def take(self, command: Command) -> None:
        """Begin a command, or answer it at once. Returns without waiting for the act."""
        if command.id in self._done:
            self.deliver(self._done[command.id][1])
        elif command.id in self._running:
            return
        elif command.epoch < self._epoch:
            self._refuse(command, "stale epoch")
        elif command.expires_in_s <= 0:
            self._refuse(command, "expired")
        elif command.verb not in self._verbs:
            self._refuse(command, f"unknown verb {command.verb!r}")
        elif len(self._running) >= MAX_RUNNING:
            self._refuse(command, f"busy: {MAX_RUNNING} commands are running")
        else:
            if command.epoch > self._epoch:
                self._epoch = command.epoch
                self._save_epoch(command.epoch)
            self._running[command.id] = asyncio.create_task(self._carry_out(command))

    def resend(self) -> list[Outcome]:
        """The outcomes to send again on a new connection, oldest first."""
        since = self._clock() - RESEND_S
        return [outcome for done_at, outcome in self._done.values() if done_at >= since][-MAX_RESENT:]

    async def close(self) -> None:
        """Cancel what runs and wait for it."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _carry_out(self, command: Command) -> None:
        deadline = self._clock() + command.expires_in_s
        try:
            async with asyncio.timeout(command.expires_in_s + GRACE_S):
                result = await self._verbs[command.verb](command.args, deadline)
            outcome = Outcome(command=command.id, ok=True, result=result)
        except Refusal as error:
            outcome = Outcome(command=command.id, ok=False, error=str(error))
        except TimeoutError:
            outcome = Outcome(command=command.id, ok=False, error="expired before it was done")
        except Exception as error:
            # A fault of ours must not leave the control plane waiting; the trace is for whoever repairs it.
            log.exception("command %s (%s) failed", command.id, command.verb)
            outcome = Outcome(command=command.id, ok=False, error=f"{type(error).__name__}: {error}")
        finally:
            self._running.pop(command.id, None)
        self._done[command.id] = (self._clock(), outcome)
        while len(self._done) > MEMORY:
            self._done.popitem(last=False)
        self.deliver(outcome)

    def _refuse(self, command: Command, reason: str) -> None:
        self.deliver(Outcome(command=command.id, ok=False, error=reason))
