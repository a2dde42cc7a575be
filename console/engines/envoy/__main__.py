"""`python -m console.engines.envoy`: one Envoy and its relay. Everything is said by the environment or options.

SIGTERM and SIGINT end both. SIGHUP ends the relay and leaves Envoy running, for the next relay to take over.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import re
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from console.engines.envoy.doors import DoorRefused, Upstream
from console.engines.envoy.relay import Relay
from console.engines.target.checks import NAME_PATTERN


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="steelyard envoy", description=__doc__)
    parser.add_argument(
        "--controller",
        required=True,
        help="unix:PATH on its machine, else ADDR:PORT (with a token, over TLS)",
    )
    parser.add_argument("--data", required=True, type=Path, help="a folder of its own")
    parser.add_argument("--name", default=own_name(), help="of this node, unless it is this machine's")
    parser.add_argument("--token-file", type=Path, help="what `steelyard engine token NAME` printed")
    parser.add_argument("--ca", type=Path, help="PEM of who vouches for the controller's certificate")
    parser.add_argument("--certificate", type=Path, help="PEM of this node's own, where one is asked for")
    parser.add_argument("--key", type=Path, help="its PEM key")
    parser.add_argument("--concurrency", type=int, default=1, help="Envoy's worker threads")
    asked = parser.parse_args(arguments)
    logging.basicConfig(
        level=os.environ.get("STEELYARD_LOG", "INFO"), format="%(asctime)s %(levelname)s %(message)s"
    )
    # It asks Envoy once a second; that is not worth a line each time.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        if not NAME_PATTERN.fullmatch(asked.name):
            raise ValueError(f"{asked.name!r} is not a DNS label (a-z, 0-9, inner '-', at most 63)")
        token = asked.token_file.read_text().strip() if asked.token_file else ""
        upstream = Upstream(asked.controller, token, asked.ca, asked.certificate, asked.key)
        upstream.check()
        relay = Relay(asked.data.absolute(), asked.name, upstream, concurrency=asked.concurrency)
    except (OSError, ValueError, DoorRefused) as error:
        print(error, file=sys.stderr)
        return 2
    asyncio.run(_run(relay))
    return 0


def own_name() -> str:
    """This machine's name as a node's: the host name's first label, in lower case."""
    label = socket.gethostname().partition(".")[0].lower()
    return re.sub(r"[^a-z0-9-]", "-", label).strip("-")[:63] or "envoy"


async def _run(relay: Relay) -> None:
    """Until a signal."""
    stopping, leaving = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    loop.add_signal_handler(signal.SIGHUP, leaving.set)
    await relay.run(stopping, leaving)
    if leaving.is_set():
        sys.stderr.flush()
        # An ordinary end of the event loop would end the Envoy that it started.
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
