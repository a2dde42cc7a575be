"""Where agents' WebSockets end: a plain ASGI application, because a report must cost microseconds.

One Link a connection. The host is the one the credential names, whatever the messages say.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from agents import wire
from console.actions import Actor, Conflict, Invalid, NotAllowed
from console.fleet.actions.commands import AnswerCommand
from console.fleet.actions.join import ChangeCapacity, Introduce, Join
from console.fleet.models import Command, Host
from console.live.answering import answering
from console.live.ingest import Refusal, check_capacity_report, refuse, take
from console.live.picture import picture
from console.live.threads import in_thread

log = logging.getLogger(__name__)

HELLO_TIMEOUT_S = 10.0
SEND_TIMEOUT_S = 2.0
REPORT_INTERVAL_S = 1.0
KEEPALIVE_S = 5.0
#: Questions of one agent that are under way; while they are nothing more of it is read.
MOST_ASKED = 1000

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class _Closed(Exception):
    """The connection ends with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        self.code, self.reason = code, reason


class Links:
    """The connections of this process, one a host; the newest wins."""

    def __init__(self) -> None:
        self._of_host: dict[str, Link] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self.reports = 0
        # Hosts that reported since the last tick.
        self.fresh: set[str] = set()
        # And those of them that told their disks and cards.
        self.told_parts: set[str] = set()

    def names(self) -> list[str]:
        return list(self._of_host)

    def add(self, link: Link) -> None:
        older = self._of_host.get(link.host)
        self._of_host[link.host] = link
        if older is not None:
            self._close(older, wire.CLOSE_REPLACED, "another connection of this host took over")

    def discard(self, link: Link) -> None:
        if self._of_host.get(link.host) is link:
            del self._of_host[link.host]

    def drop(self, host: str) -> None:
        """End the connection of a host that was removed."""
        if link := self._of_host.get(host):
            self._close(link, wire.CLOSE_UNAUTHORISED, "this host was removed")

    def _close(self, link: Link, code: int, reason: str) -> None:
        """Beside what else goes on: a half-open connection takes many seconds to close."""
        task = asyncio.create_task(link.close(code, reason))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def deliver(self, commands: list[Command]) -> None:
        """Send each command that its connection has not carried yet."""
        for command in commands:
            link = self._of_host.get(command.host.name)
            if link is None or command.pk in link.sent:
                continue
            link.sent.add(command.pk)
            message = wire.Command(
                id=str(command.pk),
                verb=command.verb,
                args=command.args,
                epoch=command.epoch,
                expires_in_s=command.seconds_left(),
            )
            try:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await link.send(message)
            except (TimeoutError, OSError, RuntimeError) as error:
                # An agent that does not read, or has just gone, must not keep the others' commands waiting.
                log.warning("command not delivered to %s: %r", link.host, error)
                self._close(link, wire.CLOSE_BUSY, "commands were not read")


links = Links()


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """ASGI: one agent's connection from its handshake to its end."""
    await receive()  # websocket.connect
    headers = dict(scope["headers"])
    authorisation = headers.get(b"authorization", b"").decode("latin-1")
    token, host = await in_thread(_authenticate, authorisation)
    if token is None and host is None:
        await _reject(send)
        return
    await send({"type": "websocket.accept"})
    link = Link(host or "", receive, send)
    try:
        await link.run(token, (scope.get("client") or ("", 0))[0])
    except _Closed as closed:
        await link.close(closed.code, closed.reason)
    finally:
        links.discard(link)


async def _reject(send: Send) -> None:
    body = b"the token or credential is not valid here\n"
    await send(
        {
            "type": "websocket.http.response.start",
            "status": 401,
            "headers": [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())],
        }
    )
    await send({"type": "websocket.http.response.body", "body": body})


def _authenticate(header: str) -> tuple[str | None, str | None]:
    """(token, None) of one that wants to join, (None, host name) of one that has, (None, None) of anybody else."""
    scheme, _, bearer = header.partition(" ")
    kind, _, rest = bearer.partition(".")
    if scheme != "Bearer":
        return None, None
    if kind == "enrol" and rest:
        return rest, None
    if kind == "agent":
        name, _, credential = rest.partition(".")
        host = Host.objects.filter(name=name).only("credential_digest").first()
        if host is not None and hmac.compare_digest(host.credential_digest, wire.digest(credential)):
            return None, name
    return None, None


class Link:
    """One agent's connection."""

    def __init__(self, host: str, receive: Receive, send: Send) -> None:
        self.host = host
        self.sent: set[object] = set()
        self._receive, self._send = receive, send
        self._last_seq = 0
        self._capacity: dict[str, float] = {}
        self._closed = False
        self._answering: set[asyncio.Task[None]] = set()

    async def close(self, code: int, reason: str) -> None:
        """End the connection; the task that reads it then meets its end. A reason holds at most 123 bytes."""
        if not self._closed:
            self._closed = True
            reason = reason.encode()[:123].decode(errors="ignore")
            await self._send({"type": "websocket.close", "code": code, "reason": reason})

    async def send(self, message: wire.Downward) -> None:
        await self._send({"type": "websocket.send", "bytes": wire.encode(message)})

    async def run(self, token: str | None, address: str) -> None:
        """Hello, then messages until one side ends it."""
        hello = await self._hello()
        actor = Actor(kind="agent", name=self.host or hello.name, address=address)
        try:
            if token is not None:
                host = await in_thread(Join(token, hello).run, actor)
            else:
                if hello.name != self.host:
                    raise Invalid("name", "other-host", f"this credential belongs to {self.host}")
                host = await in_thread(Introduce(hello).run, actor)
        except NotAllowed as error:
            raise _Closed(wire.CLOSE_UNAUTHORISED, str(error)) from None
        except (Invalid, Conflict) as error:
            raise _Closed(wire.CLOSE_REFUSED, str(error)) from None
        self.host, self._actor = host.name, Actor(kind="agent", name=host.name, address=address)
        self._capacity = dict(hello.capacity)
        await in_thread(picture.load)
        if not picture.knows(self.host):  # it was removed in this very moment
            raise _Closed(wire.CLOSE_UNAUTHORISED, "this host was removed")
        await self.send(wire.Welcome(self.host, REPORT_INTERVAL_S, KEEPALIVE_S))
        links.add(self)
        try:
            await self._obey()
        finally:
            for task in self._answering:
                task.cancel()

    async def _hello(self) -> wire.Hello:
        try:
            async with asyncio.timeout(HELLO_TIMEOUT_S):
                message = await self._next()
        except TimeoutError:
            raise _Closed(wire.CLOSE_REFUSED, "no hello came") from None
        if not isinstance(message, wire.Hello):
            raise _Closed(wire.CLOSE_REFUSED, "the first message must be hello")
        if message.protocol != wire.PROTOCOL:
            raise _Closed(
                wire.CLOSE_REFUSED, f"protocol {message.protocol}; this side speaks {wire.PROTOCOL}"
            )
        return message

    async def _next(self) -> wire.Upward | None:
        """The next message; None at the end of the connection."""
        event = await self._receive()
        if event["type"] == "websocket.disconnect":
            return None
        try:
            return wire.decode_upward(event.get("bytes") or b"")
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise _Closed(wire.CLOSE_REFUSED, f"not a message of this protocol: {error}") from None

    async def _obey(self) -> None:
        while (message := await self._next()) is not None:
            match message:
                case wire.Report() as report:
                    await self._report(report)
                case wire.Outcome() as outcome:
                    action = AnswerCommand(outcome.command, outcome.ok, outcome.result, outcome.error)
                    await in_thread(action.run, self._actor)
                case wire.JobEvent() as event:
                    if len(self._answering) >= MOST_ASKED:
                        await asyncio.wait(self._answering, return_when=asyncio.FIRST_COMPLETED)
                    task = asyncio.create_task(self._answer(event))
                    self._answering.add(task)
                    task.add_done_callback(self._answering.discard)
                case wire.Hello():
                    raise _Closed(wire.CLOSE_REFUSED, "hello comes once")

    async def _answer(self, event: wire.JobEvent) -> None:
        try:
            reason = await answering.ask(self._actor, event)
        except Exception as error:
            log.warning("an event of %s's jobs could not be taken: %r", self.host, error)
            # The agent comes back and asks again.
            await self.close(wire.CLOSE_BUSY, "a job's event could not be taken")
            return
        with contextlib.suppress(OSError, RuntimeError):  # it has gone: the agent asks again
            await self.send(wire.JobAnswer(event.ref, reason == "", reason))

    async def _report(self, report: wire.Report) -> None:
        fault = None
        if report.capacity is not None and report.capacity != self._capacity:
            fault = await self._change_capacity(report, report.capacity)
        fault = fault or take(picture, self.host, self._last_seq, report)
        if fault is not None:
            await self._refuse(report.seq, fault.code, fault.field, fault.reason)
            return
        self._last_seq = report.seq
        links.reports += 1
        links.fresh.add(self.host)
        if report.parts is not None:
            links.told_parts.add(self.host)

    async def _change_capacity(self, report: wire.Report, capacity: dict[str, float]) -> Refusal | None:
        """Write a new capacity, if the whole report can be believed."""
        if fault := check_capacity_report(picture, self.host, self._last_seq, report):
            return fault
        try:
            await in_thread(ChangeCapacity(capacity).run, self._actor)
        except Invalid as error:
            return refuse(Refusal(error.code, error.field, error.reason))
        self._capacity = dict(capacity)
        await in_thread(picture.load)
        return None

    async def _refuse(self, seq: int, code: str, field: str, reason: str) -> None:
        log.warning("report of %s refused: %s: %s", self.host, field, reason)
        await self.send(wire.Refused(seq, code, field, reason))
