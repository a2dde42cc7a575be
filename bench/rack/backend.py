"""The server a host runs under load: it burns a stated amount of its own CPU time for each request.

    python -m bench.rack.backend --address 10.213.7.10 --port 8080 --name alpha [--tcp-port 9090]

GET or POST, HTTP/1.1 with keep-alive:
    /                   200 at once
    /burn?ms=5[&sd=5]   200 after 5 ms of this thread's CPU time, so a cgroup quota slows it like any real work;
                        with sd, a normally distributed time of that mean and standard deviation, not below 0
    /bytes?n=1000000    that many bytes
    /status?code=500    that status at once
    /hold?s=2           200 after 2 s without using CPU
    /usual              what the server was last told to do with it, at first 200 at once
    /tell?s=2&code=500  from now on /usual answers 500 after 2 s; and so does /burn, unless code is 200
    /tell?cold=50       the next 50 of /burn cost COLD times as much, as on a host whose caches are empty
Every answer names the host: in its JSON body {"host": ...} and, since large answers have no JSON, in x-host.
One thread and no queue of its own: requests that arrive while one burns wait in the kernel, first come first served.
--tcp-port adds a port that echoes. Prints "ready" once it listens; ends on SIGTERM.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import time
from http import HTTPStatus
from urllib.parse import parse_qs

if __name__ == "__main__":
    # A rack runs many of these on small memory limits. asyncio does without ssl, which is a quarter of the process.
    sys.modules["ssl"] = None  # type: ignore[assignment]

import asyncio

MAX_HEAD_BYTES = 16 * 1024
MAX_BODY_BYTES = 1024 * 1024
MAX_BURN_MS = 10_000.0
MAX_HOLD_S = 60.0
MAX_ANSWER_BYTES = 256 * 1024 * 1024
#: What a request costs on a cold server, in that of a warm one.
COLD = 3.0
MAX_COLD = 10_000
CHUNK = bytes(64 * 1024)
REASONS = {int(status): status.phrase for status in HTTPStatus}


class BadRequest(Exception):
    """What the client sent cannot be answered; args: status, reason."""


def burn(milliseconds: float) -> None:
    """Use that much CPU time of this thread. Time spent throttled or preempted does not count."""
    until = time.thread_time() + milliseconds / 1000.0
    while time.thread_time() < until:
        sum(range(200))  # a few microseconds, so that reading the clock is not most of the work


def number(query: dict[str, list[str]], name: str, default: float, most: float) -> float:
    """A bounded, non-negative number from the query string. Raises BadRequest."""
    text = query.get(name, [str(default)])[-1]
    try:
        value = float(text)
    except ValueError:
        raise BadRequest(400, f"{name} is not a number") from None
    if not 0 <= value <= most:  # NaN too
        raise BadRequest(400, f"{name} is not between 0 and {most:g}")
    return value


def status_of(query: dict[str, list[str]]) -> int:
    """The status that is asked for. Raises BadRequest."""
    status = int(number(query, "code", 200, 599))
    if status < 200 or status in (204, 304):
        raise BadRequest(400, "code is not a status that has a body")
    return status


def parse_head(head: bytes) -> tuple[str, str, int, bool]:
    """(method, target, body length, keep alive) of a request's head. Raises BadRequest."""
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequest(400, "not an HTTP/1 request line")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
    }
    if parts[0] not in ("GET", "POST"):
        raise BadRequest(405, "only GET and POST")
    if "transfer-encoding" in headers:
        raise BadRequest(411, "a body needs a content-length here")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise BadRequest(400, "content-length is not a number")
    if int(length) > MAX_BODY_BYTES:
        raise BadRequest(413, f"a body has at most {MAX_BODY_BYTES} bytes")
    wish = headers.get("connection", "").lower()
    keep = wish != "close" and (parts[2] != "HTTP/1.0" or wish == "keep-alive")
    return parts[0], parts[1], int(length), keep


class Mood:
    """What the server was told: how long to hold usual requests, what to answer, how many to come find it cold."""

    hold_s = 0.0
    status = 200
    cold = 0


class HttpConnection(asyncio.Protocol):
    """One client's connection: requests are answered one after the other, in order."""

    def __init__(self, name: str, mood: Mood) -> None:
        self.name = name
        self.mood = mood
        self.transport: asyncio.Transport | None = None
        self.buffer = bytearray()
        self.busy = False  # an answer is held or still being sent
        self.writable = True
        self.unsent = 0
        self.keep = True
        self.hold: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if self.hold is not None:
            self.hold.cancel()
        self.transport = None

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self.serve()
        # serve() leaves this much only when it has to wait; more would be a client's memory, not ours.
        if self.transport is not None and len(self.buffer) > MAX_HEAD_BYTES + MAX_BODY_BYTES:
            self.transport.pause_reading()

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        if self.unsent:
            self.pump()
        self.go_on()

    def serve(self) -> None:
        """Answer every complete request in the buffer, until one has to be waited for."""
        try:
            while self.transport and self.writable and not self.busy and not self.transport.is_closing():
                end = self.buffer.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES)
                if end < 0:
                    if len(self.buffer) >= MAX_HEAD_BYTES:
                        raise BadRequest(431, f"a head has at most {MAX_HEAD_BYTES} bytes")
                    return
                _, target, length, keep = parse_head(bytes(self.buffer[:end]))
                if len(self.buffer) < end + 4 + length:
                    return
                del self.buffer[: end + 4 + length]
                self.keep = keep
                self.answer(target, length)
        except BadRequest as error:
            self.keep = False
            self.send_json(error.args[0], {"host": self.name, "error": error.args[1]})

    def answer(self, target: str, body_bytes: int) -> None:
        """Do what the path says. Raises BadRequest."""
        path, _, text = target.partition("?")
        query = parse_qs(text)
        report: dict[str, object] = {"host": self.name, "path": path, "body_bytes": body_bytes}
        status = 200
        if path == "/burn" and self.mood.status == 200:
            mean, deviation = (number(query, name, 0.0, MAX_BURN_MS) for name in ("ms", "sd"))
            milliseconds = max(0.0, random.gauss(mean, deviation)) if deviation else mean
            if self.mood.cold:
                self.mood.cold -= 1
                milliseconds *= COLD
            burn(milliseconds)
            report["burned_ms"] = milliseconds
        elif path == "/bytes":
            self.send_head(200, int(number(query, "n", 1024, MAX_ANSWER_BYTES)), "application/octet-stream")
            return
        elif path in ("/usual", "/burn"):
            self.hold_for(self.mood.hold_s, self.mood.status, report)
            return
        elif path == "/tell":
            self.mood.hold_s = number(query, "s", 0.0, MAX_HOLD_S)
            self.mood.status = status_of(query)
            self.mood.cold = int(number(query, "cold", 0, MAX_COLD))
        elif path == "/status":
            status = status_of(query)
        elif path == "/hold":
            self.hold_for(number(query, "s", 1.0, MAX_HOLD_S), 200, report)
            return
        elif path != "/":
            status = 404
        self.send_json(status, report)

    def hold_for(self, seconds: float, status: int, report: dict[str, object]) -> None:
        """Answer so many seconds from now."""
        self.busy = True
        self.hold = asyncio.get_running_loop().call_later(seconds, self.release, status, report)

    def release(self, status: int, report: dict[str, object]) -> None:
        """A held request's time is over."""
        self.hold = None
        self.busy = False
        self.send_json(status, report)
        self.go_on()

    def send_json(self, status: int, report: dict[str, object]) -> None:
        body = json.dumps(report).encode()
        self.send_head(status, len(body), "application/json", body)

    def send_head(self, status: int, length: int, kind: str, body: bytes = b"") -> None:
        """Send the head and the body; without a body, length zero bytes, as fast as the client takes them."""
        if self.transport is None:
            return
        head = (
            f"HTTP/1.1 {status} {REASONS.get(status, 'Other')}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n"
            f"x-host: {self.name}\r\n{'' if self.keep else 'connection: close' + chr(13) + chr(10)}\r\n"
        )
        self.transport.write(head.encode("latin-1") + body)
        self.unsent = 0 if body else length
        self.busy = True
        self.pump()

    def pump(self) -> None:
        """Send what is left of a large answer, and no more than the socket takes."""
        while self.transport is not None and self.unsent and self.writable:
            piece = min(self.unsent, len(CHUNK))
            self.unsent -= piece
            self.transport.write(CHUNK[:piece] if piece < len(CHUNK) else CHUNK)
        if self.transport is not None and not self.unsent:
            self.busy = False
            if not self.keep:
                self.transport.close()

    def go_on(self) -> None:
        """Take up requests that came while an answer was under way."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()
            self.serve()


class Echo(asyncio.Protocol):
    """Sends back what it receives, and takes no more than the client takes back."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)

    def pause_writing(self) -> None:
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()


async def serve(address: str, port: int, tcp_port: int | None, name: str) -> None:
    """Listen until SIGTERM."""
    loop = asyncio.get_running_loop()
    mood = Mood()
    servers = [await loop.create_server(lambda: HttpConnection(name, mood), address, port, backlog=1024)]
    if tcp_port is not None:
        servers.append(await loop.create_server(Echo, address, tcp_port, backlog=1024))
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    print("ready", flush=True)
    await ended.wait()
    for server in servers:
        server.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.rack.backend", description="A server that burns CPU."
    )
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tcp-port", type=int)
    parser.add_argument("--name", default="")
    options = parser.parse_args()
    asyncio.run(serve(options.address, options.port, options.tcp_port, options.name or options.address))


if __name__ == "__main__":
    main()
