"""The one WebSocket to the control plane: says who is there, reports, obeys, relays the workers' questions.

The agent only ever dials out. It comes back after every failure, with jitter, except when it is told
that its token or credential is not valid: then it stops, because trying again cannot help.

What must survive a lost connection is kept by its owner, not in the send queue: questions until they are
answered, outcomes for a while. A new connection starts by queueing both again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from agents import wire
from agents.amounts import WrongInput
from agents.backoff import Backoff
from agents.commands import CommandDesk
from agents.reporting import Reporter

OPEN_S = 10.0
CLOSE_S = 2.0
#: Silence is noticed after two of these: half of a one-way partition would otherwise look alive for ever.
PING_S = 15.0
#: A connection that held this long counts as a success; a shorter one may be a server that dies at once.
HELD_S = 10.0
#: Above what the workers' socket can have open (256 workers with 64 claims each, and an end for each worker).
MAX_QUESTIONS = 20_000
#: The pace the control plane may ask for.
INTERVAL_RANGE_S = (0.05, 300.0)

log = logging.getLogger("steelyard.agent")


class Unauthorised(Exception):
    """The control plane does not take this token or credential. Final."""


class Samples(Protocol):
    """Where figures come from: agents.sampler.Sampler, or a test's own."""

    def capacity(self) -> dict[str, float]: ...
    def sample(self) -> dict[str, float]: ...
    def parts(self) -> wire.Parts | None: ...
    def quota(self) -> wire.Quota | None: ...


class _Dial(connect):
    """connect() without redirects: the credential goes to the address that was given, or nowhere."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


def link_url(url: str) -> str:
    """The WebSocket address behind a console's http or https URL. Raises WrongInput."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise WrongInput(f"{url!r} is not a URL: {error}") from None
    schemes = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
    if parts.scheme not in schemes or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise WrongInput(f"{url!r} is not the console's URL; write it as http(s)://HOST[:PORT]")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    place = f"{host}:{port}" if port else host
    return f"{schemes[parts.scheme]}://{place}{parts.path.rstrip('/')}{wire.LINK_PATH}"


class Link:
    """Keeps the connection up and everything on it moving.

    bearer and hello are asked for at every connection attempt; welcomed is called with each Welcome.
    interval_s: the agent's own shortest pause between reports; the server's pace counts where it is slower.
    """

    def __init__(
        self,
        url: str,
        *,
        bearer: Callable[[], str],
        hello: Callable[[], wire.Hello],
        welcomed: Callable[[wire.Welcome], None],
        samples: Samples,
        worker: Callable[[], wire.Worker | None],
        desk: CommandDesk,
        backoff: Backoff,
        clock: Callable[[], float],
        interval_s: float = 0.0,
    ) -> None:
        self._url = link_url(url)
        self._bearer = bearer
        self._hello = hello
        self._welcomed = welcomed
        self._samples = samples
        self._worker = worker
        self._desk = desk
        self._backoff = backoff
        self._clock = clock
        self._interval_s = interval_s
        self._reporter = Reporter()
        self._questions: dict[int, tuple[bytes, asyncio.Future[wire.JobAnswer]]] = {}
        self._last_ref = 0
        self._queue: deque[bytes] = deque()
        self._queued = asyncio.Event()
        self._connected = False
        #: Refusals counted by code: the first of each is logged, all are counted.
        self.refused: dict[str, int] = {}
        desk.deliver = lambda outcome: self._post(wire.encode(outcome))

    async def run(self) -> None:
        """Connect and reconnect until cancelled. Raises Unauthorised."""
        while True:
            began = self._clock()
            busy = False
            try:
                busy = await self._converse()
            except InvalidStatus as error:
                status = error.response.status_code
                if status in {401, 403}:
                    raise Unauthorised(
                        f"{self._url} answered {status}: the token or credential is not valid"
                    ) from None
                log.warning("%s answered %s", self._url, status)
                busy = status in {429, 503}
            except (OSError, TimeoutError, EOFError, WebSocketException, msgspec.MsgspecError) as error:
                log.warning("no connection to %s: %s", self._url, error or type(error).__name__)
            if self._clock() - began >= HELD_S:
                self._backoff.reset()
            await asyncio.sleep(self._backoff.after_busy() if busy else self._backoff.after_failure())

    def ask(self, job: str, attempt: int, event: str, **said: Any) -> asyncio.Future[wire.JobAnswer]:
        """Put a job event to the control plane; its answer comes, over reconnects if need be. said: its other fields,
        as wire.JobEvent has them. Cancelled, it is not put again. Raises OverflowError for whole numbers of more than
        64 bits, which the wire does not carry."""
        answer: asyncio.Future[wire.JobAnswer] = asyncio.get_running_loop().create_future()
        if len(self._questions) >= MAX_QUESTIONS:
            reason = "the agent has too many unanswered questions"
            answer.set_result(wire.JobAnswer(ref=0, accepted=False, reason=reason))
            return answer
        self._last_ref += 1
        question = wire.encode(
            wire.JobEvent(ref=self._last_ref, job=job, attempt=attempt, event=event, **said)
        )
        self._questions[self._last_ref] = (question, answer)
        self._post(question)
        return answer

    def _post(self, message: bytes) -> None:
        """Queue a message on the connection there is; with none it waits at its owner."""
        if self._connected:
            self._queue.append(message)
            self._queued.set()

    async def _converse(self) -> bool:
        """One connection, from dialling to its end. True when the server asked to come back later."""
        dial = _Dial(
            self._url,
            additional_headers={"Authorization": self._bearer()},
            compression=None,
            proxy=None,
            max_size=wire.MAX_FRAME_BYTES,
            open_timeout=OPEN_S,
            close_timeout=CLOSE_S,
            ping_interval=PING_S,
            ping_timeout=PING_S,
        )
        async with dial as socket:
            try:
                hello = self._hello()
                await socket.send(wire.encode(hello))
                async with asyncio.timeout(OPEN_S):
                    welcome = wire.decode_downward(await socket.recv(decode=False))
                if not isinstance(welcome, wire.Welcome):
                    raise msgspec.ValidationError("the first answer was not a welcome")
                self._welcomed(welcome)
                await self._serve(socket, welcome, hello.capacity)
            except ConnectionClosed:
                log.info("the connection ended: %s %s", socket.close_code, socket.close_reason or "")
        if socket.close_code == wire.CLOSE_UNAUTHORISED:
            raise Unauthorised(socket.close_reason or "the control plane no longer takes this agent")
        # A second agent of the same name took over: coming back at once would only push it off in turn.
        return socket.close_code in {wire.CLOSE_BUSY, wire.CLOSE_REPLACED}

    async def _serve(
        self, socket: ClientConnection, welcome: wire.Welcome, capacity: dict[str, float]
    ) -> None:
        self._reporter.begin(capacity)
        self._questions = {ref: each for ref, each in self._questions.items() if not each[1].done()}
        self._queue.clear()
        self._queue.extend(question for question, _ in self._questions.values())
        self._queue.extend(map(wire.encode, self._desk.resend()))
        self._queued.set()
        self._connected = True
        tasks = [
            asyncio.create_task(work)
            for work in (self._read(socket), self._write(socket), self._report(socket, welcome))
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._connected = False
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def _read(self, socket: ClientConnection) -> None:
        while True:
            message = wire.decode_downward(await socket.recv(decode=False))
            match message:
                case wire.Command():
                    self._desk.take(message)
                case wire.JobAnswer():
                    self._answer(message)
                case wire.Refused():
                    self._count(message)
                case wire.Welcome():
                    log.warning("a second welcome on one connection; ignored")

    async def _write(self, socket: ClientConnection) -> None:
        while True:
            await self._queued.wait()
            self._queued.clear()
            while self._queue:
                await socket.send(self._queue.popleft())

    async def _report(self, socket: ClientConnection, welcome: wire.Welcome) -> None:
        low, high = INTERVAL_RANGE_S
        interval_s = min(high, max(low, welcome.report_interval_s, self._interval_s))
        # A keepalive goes out on the last turn before it would be late.
        silence_s = max(0.0, welcome.keepalive_s - interval_s)
        while True:
            report = self._reporter.next(
                self._clock(), welcome.host, self._samples.sample(), self._samples.capacity(), silence_s
            )
            if report is not None:
                told = msgspec.structs.replace(
                    report,
                    parts=self._samples.parts(),
                    quota=self._samples.quota(),
                    worker=self._worker(),
                )
                await socket.send(wire.encode(told))
            await asyncio.sleep(interval_s)

    def _answer(self, answer: wire.JobAnswer) -> None:
        _, future = self._questions.pop(answer.ref, (None, None))
        if future is not None and not future.done():
            future.set_result(answer)

    def _count(self, refusal: wire.Refused) -> None:
        if refusal.code not in self.refused and len(self.refused) < 64:
            log.warning("a report was refused: %s (%s) %s", refusal.code, refusal.field, refusal.reason)
        self.refused[refusal.code] = self.refused.get(refusal.code, 0) + 1


def local_address(url: str) -> str:
    """The address this host has on its route to the console; nothing is sent. Raises WrongInput."""
    import socket

    parts = urlsplit(link_url(url))
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    try:
        family, kind, _, _, target = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_DGRAM)[0]
        with contextlib.closing(socket.socket(family, kind)) as probe:
            probe.connect(target)
            return str(probe.getsockname()[0])
    except OSError as error:
        raise WrongInput(f"no route to {parts.hostname}: {error.strerror}; give --address") from None
