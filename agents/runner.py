"""The workers of this host, on a unix socket: they claim jobs and say how these ended; the agent relays.

The connection on which a job was claimed is the claim's lease, and while it is open the agent renews it at
the control plane. When it closes before an end was accepted, the worker's process is gone, and the agent says
"lost" in its place.
A claim that another live connection holds is refused here: the control plane sees one host and could not
tell a duplicate delivery from a renewal.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import socket
import struct
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from agents.amounts import WrongInput
from agents.bodies import Bodies
from agents.wire import JobAnswer

MAX_WORKERS = 256
#: What a worker may say, and with which fields: those of wire.JobEvent, and limits, which is for this agent alone.
_FIELDS = {
    "claim": ("limits",), "report": ("share", "note", "lines"), "succeeded": ("result", "used"), "failed": ("error",),
}  # fmt: skip
#: A line carries one event; with its envelope it must fit a frame of the wire.
MAX_LINE_BYTES = 48 * 1024
MAX_CLAIMS_PER_WORKER = 64
#: Between two renewals of a claim: a third of the lease, so that one lost renewal costs nothing.
RENEW_S = 10.0
#: The kernel's limit for the path of a unix socket, without the closing zero.
_MAX_PATH_BYTES = 107


class Ask(Protocol):
    """Link.ask: puts a job event to the control plane and waits for its answer."""

    def __call__(self, job: str, attempt: int, event: str, **said: Any) -> Awaitable[JobAnswer]: ...


class WrongLine(ValueError):
    """A worker sent a line that says nothing usable."""


Lease = tuple[str, int]


@dataclass(eq=False)
class Connection:
    """A worker's. pid: of its process; 0 where that can't be seen from here."""

    pid: int


class Runner:
    """Serves the socket at `path` (0600: only the agent's own user may run its jobs). bodies: whom it bounds."""

    def __init__(self, path: Path, ask: Ask, bodies: Bodies, renew_s: float = RENEW_S) -> None:
        self._path = path
        self._ask = ask
        self._bodies = bodies
        self._renew_s = renew_s
        #: (job, attempt) to the connection that holds it.
        self._leases: dict[Lease, Connection] = {}
        self._workers = 0
        self._closing = False
        self._losses: set[asyncio.Task[object]] = set()

    @contextlib.asynccontextmanager
    async def listen(self) -> AsyncIterator[None]:
        """Serve while the block runs."""
        listener = bind_private(self._path)
        server = await asyncio.start_unix_server(self._serve, sock=listener, limit=MAX_LINE_BYTES)
        renewing = asyncio.create_task(self._keep_renewing())
        try:
            yield
        finally:
            # An agent that stops says nothing about its workers: they live on and come back to the next one.
            self._closing = True
            server.close()
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(pid_of(writer.get_extra_info("socket")))
        self._workers += 1
        self._bodies.opened(connection.pid)
        try:
            if self._workers <= MAX_WORKERS:
                with contextlib.suppress(ConnectionError):
                    await self._converse(connection, reader, writer)
        finally:
            self._workers -= 1
            writer.close()
            self._mourn(connection)
            self._bodies.closed(connection.pid)

    async def _converse(
        self, connection: Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            try:
                line = await reader.readline()
            except ValueError:
                # The rest of a line that is too long cannot be told from the next one.
                writer.write(_reply(None, False, f"a line is at most {MAX_LINE_BYTES} bytes"))
                await writer.drain()
                return
            if not line.endswith(b"\n"):
                return
            ref: Any = None
            try:
                ref, event = read_line(line)
                accepted, reason = await self._relay(connection, event)
            except WrongLine as error:
                accepted, reason = False, str(error)
            writer.write(_reply(ref, accepted, reason))
            await writer.drain()

    async def _relay(self, connection: Connection, event: dict[str, Any]) -> tuple[bool, str]:
        lease = (event["job"], event["attempt"])
        limits = event.pop("limits", {})
        claiming = event["event"] == "claim"
        if claiming:
            if self._leases.get(lease, connection) is not connection:
                return False, "another worker on this host has claimed it"
            if sum(holder is connection for holder in self._leases.values()) >= MAX_CLAIMS_PER_WORKER:
                return False, f"one worker holds at most {MAX_CLAIMS_PER_WORKER} claims"
            # Held while the question is open, so that a duplicate cannot slip in between.
            self._leases[lease] = connection
        answer = await self._ask(**event)
        ends = event["event"] in ("succeeded", "failed")
        if (claiming and not answer.accepted) or (ends and answer.accepted):
            self._leases.pop(lease, None)
        if claiming and answer.accepted:
            self._bodies.begin(connection.pid, lease, limits)
        elif ends:
            self._bodies.end(connection.pid, lease)
        return answer.accepted, answer.reason

    async def _keep_renewing(self) -> None:
        """Renew what is claimed, for ever. A round waits for its answers, so that an absent control plane is
        asked once, not once a round."""
        while True:
            await asyncio.sleep(self._renew_s)
            await asyncio.gather(*(self._renew(*held) for held in list(self._leases.items())))

    async def _renew(self, lease: Lease, holder: Connection) -> None:
        # A claim that is still being asked for is renewed too: its own answer comes first.
        answer = await self._ask(*lease, "renew")
        if not answer.accepted and self._leases.get(lease) is holder:
            # The attempt was given up. Its worker hears of it when it reports its end.
            del self._leases[lease]

    def _mourn(self, connection: Connection) -> None:
        """Say "lost" for what a closed connection still held; nobody waits for the answers."""
        if self._closing:
            return
        for lease in [lease for lease, holder in self._leases.items() if holder is connection]:
            del self._leases[lease]
            job, attempt = lease
            why = self._bodies.died_of(connection.pid, lease)
            error = "the worker's process is gone" + (why and f": {why}")
            task: asyncio.Task[object] = asyncio.ensure_future(self._ask(job, attempt, "lost", error=error))
            self._losses.add(task)
            task.add_done_callback(self._losses.discard)


def read_line(line: bytes) -> tuple[int, dict[str, Any]]:
    """One line of a worker as its reference and the arguments of Ask. Raises WrongLine."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        raise WrongLine("not a line of JSON") from None
    if not isinstance(said, dict) or type(said.get("ref")) is not int:
        raise WrongLine("not an object with a whole number as ref")
    job, attempt, event = said.get("job"), said.get("attempt"), said.get("event")
    if not isinstance(job, str) or not 0 < len(job) <= 200:
        raise WrongLine("job: a text of 1 to 200 characters")
    if type(attempt) is not int or attempt < 1:
        raise WrongLine("attempt: a whole number from 1")
    if event not in _FIELDS:
        raise WrongLine(f"event: one of {', '.join(_FIELDS)}")
    more = {name: said[name] for name in _FIELDS[event] if said.get(name) is not None}
    for name, kind in (("error", str), ("note", str), ("lines", str), ("used", dict), ("limits", dict)):
        if not isinstance(more.get(name, kind()), kind):
            raise WrongLine(f"{name}: a {'text' if kind is str else 'mapping'}")
    for amount in (*more.get("used", {}).values(), *more.get("limits", {}).values(), more.get("share", 0.0)):
        if isinstance(amount, bool) or not isinstance(amount, int | float):
            raise WrongLine("used, limits, share: numbers")
    if not all(0.0 <= amount < math.inf for amount in more.get("limits", {}).values()):
        raise WrongLine("limits: finite amounts from 0")
    return said["ref"], {"job": job, "attempt": attempt, "event": event, **more}


def pid_of(connection: socket.socket) -> int:
    """The process at the other end of a unix socket."""
    credentials = struct.Struct("3i")
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, credentials.size)
    return int(credentials.unpack(told)[0])


def bind_private(path: Path) -> socket.socket:
    """A unix socket at path that only this user can reach, not listening yet. Raises WrongInput."""
    if len(os.fsencode(path)) > _MAX_PATH_BYTES:
        raise WrongInput(
            f"{path} is longer than a socket's path can be ({_MAX_PATH_BYTES} bytes): give a shorter --data"
        )
    # Left by an agent that was killed; the directory's lock says that no other agent lives here.
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        # Before listen(): until then nobody can connect, whatever the umask was.
        path.chmod(0o600)
    except BaseException:
        listener.close()
        raise
    return listener


def _reply(ref: int | None, accepted: bool, reason: str) -> bytes:
    return json.dumps({"ref": ref, "accepted": accepted, "reason": reason}).encode() + b"\n"
