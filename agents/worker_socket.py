"""The unix socket of this host's workers: lines of JSON, each answered before the next one is taken.

A worker says {ref, job, attempt, event, ...} (Said) and hears {ref, accepted, reason}.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import msgspec

from agents.amounts import WrongInput

#: A line carries one event; with its envelope it must fit a frame of the wire.
MAX_LINE_BYTES = 48 * 1024
#: The kernel's limit for the path of a unix socket, without the closing zero.
_MAX_PATH_BYTES = 107
_CREDENTIALS = struct.Struct("3i")

Amount = Annotated[float, msgspec.Meta(ge=0)]


class Said(msgspec.Struct, frozen=True):
    """One line of a worker: the fields of wire.JobEvent, and limits (what bounds the body, by resource), which is for
    this agent alone."""

    ref: int
    job: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    attempt: Annotated[int, msgspec.Meta(ge=1)]
    event: Literal["claim", "report", "succeeded", "failed"]
    limits: dict[str, Amount] = {}
    result: Any = None
    error: str = ""
    used: dict[str, float] = {}
    share: float | None = None
    note: str = ""
    lines: str = ""


_decode = msgspec.json.Decoder(Said).decode
_encode = msgspec.json.Encoder().encode


class Desk(Protocol):
    """Who is told of workers and their lines: agents.runner."""

    def opened(self, worker: Line) -> bool:
        """Whether one more may come."""

    def asked(self, worker: Line, said: Said) -> None:
        """To be answered by worker.answer(), once."""

    def closed(self, worker: Line) -> None:
        """It has gone, and has no open question any more."""


class Line(asyncio.Protocol):
    """One connection of a worker. pid: of its process; 0 where that can't be seen from here.

    Callbacks, not streams and tasks, which took most of the agent's time for a job that does nothing.
    """

    def __init__(self, desk: Desk) -> None:
        self.pid = 0
        self._desk = desk
        self._came = bytearray()
        self._ref: int | None = None
        #: A question is open, what was answered is not read, or the connection is over.
        self._open = self._unread = self._over = False
        #: Lines are being taken: what is answered meanwhile does not begin that anew, ever deeper.
        self._taking = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.pid = pid_of(transport.get_extra_info("socket"))
        if not self._desk.opened(self):
            self.close()

    def data_received(self, data: bytes) -> None:
        self._came += data
        self._take()

    def pause_writing(self) -> None:
        self._unread = True

    def resume_writing(self) -> None:
        self._unread = False
        self._take()

    def connection_lost(self, exc: Exception | None) -> None:
        self._over = True
        if not self._open:
            self._desk.closed(self)

    def answer(self, accepted: bool, reason: str) -> None:
        """Of the line that was asked."""
        self._open = False
        if self._over:
            self._desk.closed(self)
            return
        self._reply(accepted, reason)
        if not self._taking:
            self._take()

    def close(self) -> None:
        """Take nothing more, and end the connection when what was answered is written."""
        self._came.clear()
        self._transport.close()

    def _take(self) -> None:
        """The lines that are there, as long as each is answered at once."""
        self._taking = True
        try:
            self._take_each()
        finally:
            self._taking = False
        # Whoever says more than he is answered waits.
        if len(self._came) > MAX_LINE_BYTES:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _take_each(self) -> None:
        while not (self._open or self._unread):
            line, end, rest = self._came.partition(b"\n")
            if len(line) > MAX_LINE_BYTES:
                # The rest of a line that is too long cannot be told from the next one.
                self._ref = None
                self._reply(False, f"a line is at most {MAX_LINE_BYTES} bytes")
                self.close()
                return
            if not end:
                return
            self._came = rest
            self._ask(line)

    def _ask(self, line: bytearray) -> None:
        self._ref = None
        try:
            said = _decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self._reply(False, f"not a line that says something usable: {error}")
            return
        self._ref, self._open = said.ref, True
        self._desk.asked(self, said)

    def _reply(self, accepted: bool, reason: str) -> None:
        self._transport.write(_encode({"ref": self._ref, "accepted": accepted, "reason": reason}) + b"\n")


def pid_of(connection: socket.socket) -> int:
    """The process at the other end of a unix socket."""
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(told)[0])


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
