"""`steelyard up`: the supervisor of this machine's data, until Ctrl-C."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any, TextIO

from console.place import Place
from console.supervisor.ports import Failed
from console.supervisor.supervisor import Supervisor


async def run() -> int:
    """The command: start, say where the console is, wait for Ctrl-C, stop. Returns the exit code."""
    place = Place.from_environment()
    listen = os.environ.get("STEELYARD_LISTEN", "127.0.0.1:8420")
    place.run.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = _lock(place)
    if lock is None:
        print(f"steelyard runs already with the data in {place.data}", file=sys.stderr)
        return 1
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    try:
        supervisor = Supervisor(place, listen, lambda line: print(line, flush=True))
    except Failed as failure:
        print(failure, file=sys.stderr)
        lock.close()
        return 1
    try:
        starting = asyncio.create_task(supervisor.start())
        await _first(starting, stopping.wait())
        if not starting.done():
            starting.cancel()
            return 130
        setup = await starting
        print(f"Console: {supervisor.url}/", flush=True)
        if setup:
            print(f"Make the first administrator (one-time link): {setup}", flush=True)
        await stopping.wait()
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    finally:
        await supervisor.stop()
        lock.close()
    return 0


async def _first(task: asyncio.Task[Any], other: Coroutine[Any, Any, Any]) -> None:
    waiting = asyncio.create_task(other)
    await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


def _lock(place: Place) -> TextIO | None:
    """This data directory's lock, held for the life of the returned file; None where another holds it."""
    file = (place.run / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file
