"""HTTP/1.1 over kept-alive connections, no more than measuring needs.

Why not a client library: what the generator spends on a request is taken from the machine that is being measured.
Nothing is retried, so every failure a user would have seen is counted.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass
from urllib.parse import urlsplit

MAX_HEAD_BYTES = 64 * 1024
#: Of an answer's body this much is kept, for the host's name in it; the rest is counted and dropped.
KEPT_BODY_BYTES = 4 * 1024


class ProtocolError(Exception):
    """The server sent something that is no HTTP/1 answer with a length."""


@dataclass(frozen=True, slots=True)
class Answer:
    """status, the host that answered ("" if it did not say), and how many bytes of body came."""

    status: int
    host: str
    body_bytes: int


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send, and the request's bytes."""

    host: str
    port: int
    request: bytes

    @staticmethod
    def parse(url: str) -> Target:
        """From http://host[:port]/path?query. Raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"url: {url!r} is not of the form http://host[:port]/path")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if not path.isascii() or not path.isprintable() or " " in path:
            raise ValueError(f"url: the path of {url!r} holds characters that must be escaped")
        request = f"GET {path} HTTP/1.1\r\nhost: {parts.netloc}\r\nuser-agent: steelyard-bench\r\n\r\n"
        return Target(parts.hostname, parts.port or 80, request.encode("ascii"))


class Connection(asyncio.Protocol):
    """One connection: one request at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.reusable = True
        self._answer: asyncio.Future[Answer] | None = None
        self._start()

    def _start(self) -> None:
        """Forget the last answer."""
        self._head = bytearray()
        self._kept = bytearray()
        self._status = 0
        self._host = ""
        self._is_json = False
        self._chunked = False
        self._left = -1  # bytes still to come of the body or chunk; -1 while the head is not complete
        self._body_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        self._fail(ConnectionResetError("the connection broke before the answer was complete"))

    async def ask(self, request: bytes) -> Answer:
        """Send a request, wait for its whole answer. Raises ConnectionError or ProtocolError; cancelling closes."""
        if self.transport is None or self.transport.is_closing():
            raise ConnectionResetError("the connection is closed")
        self._start()
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        try:
            return await self._answer
        except BaseException:
            self.close()
            raise
        finally:
            self._answer = None

    def close(self) -> None:
        self.reusable = False
        if self.transport is not None:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            self.close()  # nobody asked for this
            return
        try:
            if self._left < 0:
                data = self._read_head(data)
            if self._left >= 0:
                self._read_body(data)
        except (ProtocolError, ValueError) as error:
            self._fail(ProtocolError(str(error)))
            self.close()

    def _fail(self, error: Exception) -> None:
        self.reusable = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    def _read_head(self, data: bytes) -> bytes:
        """Take the head in; what follows it is returned."""
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            if len(self._head) > MAX_HEAD_BYTES:
                raise ProtocolError("the head of the answer is too long")
            return b""
        lines = self._head[:end].decode("latin-1").split("\r\n")
        rest = bytes(self._head[end + 4 :])
        version, _, status = lines[0].partition(" ")
        if version != "HTTP/1.1":
            raise ProtocolError(f"not an HTTP/1.1 answer: {lines[0][:60]!r}")
        self._status = int(status[:3])
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        self._host = headers.get("x-host", "")
        self._is_json = headers.get("content-type", "").startswith("application/json")
        self._chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        if headers.get("connection", "").lower() == "close":
            self.reusable = False
        if self._chunked:
            self._left = 0
            self._head.clear()
        elif self._status in (204, 304):
            self._left = 0
        elif "content-length" in headers:
            self._left = int(headers["content-length"])
        else:
            raise ProtocolError("the answer says nothing about its length")
        return rest

    def _read_body(self, data: bytes) -> None:
        if self._chunked:
            self._read_chunks(data)
            return
        self._keep(data[: self._left])
        self._left -= len(data)
        if self._left < 0:
            raise ProtocolError("more came than the answer's length")
        if self._left == 0:
            self._finish()

    def _read_chunks(self, data: bytes) -> None:
        """Chunked coding: a line with the size in hex, that many bytes, an empty line; size 0 ends it."""
        self._head += data  # now holds what is not consumed yet
        while True:
            if self._left:
                piece = self._head[: self._left]
                del self._head[: len(piece)]
                self._keep(bytes(piece[: max(0, self._left - 2)]))  # the last two are the line's end
                self._left -= len(piece)
                if self._left:
                    return
            line, found, _ = self._head.partition(b"\r\n")
            if not found:
                if len(self._head) > MAX_HEAD_BYTES:
                    raise ProtocolError("a chunk's size line is too long")
                return
            size = int(line.partition(b";")[0], 16)
            if size == 0:
                # Trailers are not expected: the body ends with one empty line.
                if len(self._head) >= len(line) + 4:
                    self._finish()
                return
            del self._head[: len(line) + 2]
            self._left = size + 2

    def _keep(self, data: bytes) -> None:
        self._body_bytes += len(data)
        room = KEPT_BODY_BYTES - len(self._kept)
        if room > 0:
            self._kept += data[:room]

    def _finish(self) -> None:
        host = self._host
        if self._is_json and self._body_bytes <= KEPT_BODY_BYTES:
            body = json.loads(self._kept or b"null")
            if isinstance(body, dict) and isinstance(body.get("host"), str):
                host = body["host"]
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(Answer(self._status, host, self._body_bytes))


class Pool:
    """Connections to one target, the one used last first; as many as are asked for at once, no more."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._idle: deque[Connection] = deque()
        self._all: set[Connection] = set()

    async def ask(self) -> Answer:
        """One request on an idle connection, or a new one. Raises OSError or ProtocolError."""
        connection = self._take()
        if connection is None:
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(Connection, self._target.host, self._target.port)
            self._all.add(connection)
        try:
            answer = await connection.ask(self._target.request)
        except BaseException:
            self._all.discard(connection)
            raise
        if connection.reusable:
            self._idle.append(connection)
        else:
            connection.close()
            self._all.discard(connection)
        return answer

    def close(self) -> None:
        """Close every connection at once."""
        for connection in self._all:
            connection.close()
        self._all.clear()
        self._idle.clear()

    def _take(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                return connection
            self._all.discard(connection)
        return None
