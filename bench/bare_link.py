"""`python -m bench.bare_link`: the least that can take agents' reports, a websockets server that decodes.

It welcomes whoever comes and believes everything; prints "ready PORT".
The peer of the console's ingest, and a quiet place for one agent to report to.
--keepalive-s: told to agents; no longer than the interval, it makes them report on every turn.
"""

from __future__ import annotations

import argparse
import asyncio
import signal

import uvloop
from websockets.asyncio.server import ServerConnection, serve

from agents import wire

INTERVAL_S = 1.0


async def main(keepalive_s: float) -> None:
    async def take(socket: ServerConnection) -> None:
        hello = wire.decode_upward(await socket.recv(decode=False))
        assert isinstance(hello, wire.Hello)
        await socket.send(wire.encode(wire.Welcome(hello.name, INTERVAL_S, keepalive_s)))
        async for message in socket:
            wire.decode_upward(message)  # type: ignore[arg-type]

    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with serve(take, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print("ready", server.sockets[0].getsockname()[1], flush=True)
        await stopping.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keepalive-s", type=float, default=5.0)
    # uvloop as under uvicorn: the peer gets every advantage that the console has.
    uvloop.run(main(parser.parse_args().keepalive_s))
