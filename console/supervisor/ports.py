"""Addresses and ports: reading, finding and watching them, and what is said when they are not to be had."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any


class Failed(Exception):
    """Something did not start; the sentence says what and where to look."""


def free_port(address: str) -> int:
    """A TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def read_listen(listen: str) -> tuple[str, int]:
    """ADDR:PORT as its parts. Raises Failed."""
    address, _, port = listen.rpartition(":")
    if not address or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise Failed(f"STEELYARD_LISTEN={listen!r} is not ADDR:PORT, for instance 127.0.0.1:8420")
    return address, int(port)


def check_free(address: str, port: int) -> None:
    """Raises Failed where somebody listens there already, or nobody can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise Failed(
                f"can't listen on {address}:{port}: {error.strerror}. Set STEELYARD_LISTEN=ADDR:PORT."
            ) from None


async def until(test: Callable[[], Coroutine[Any, Any, bool]], seconds: float, what: str, log: Path) -> None:
    """Wait for test() to be true. Raises Failed, naming the log to look into, when that takes longer."""
    deadline = time.monotonic() + seconds
    while not await test():
        if time.monotonic() > deadline:
            raise Failed(f"{what} did not start within {seconds:g} s; see {log}")
        await asyncio.sleep(0.05)


async def answers(address: str, port: int) -> bool:
    """Whether anybody accepts a connection there."""
    with suppress(OSError):
        _, writer = await asyncio.open_connection(address, port)
        writer.close()
        return True
    return False


async def healthy(address: str, port: int) -> bool:
    """Whether a console that has its database answers there."""
    with suppress(OSError, asyncio.IncompleteReadError):
        reader, writer = await asyncio.open_connection(address, port)
        writer.write(f"GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read(64)
        writer.close()
        return answer.startswith(b"HTTP/1.1 200")
    return False
