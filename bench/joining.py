"""Agents on a rack's hosts, joined as an operator does it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from bench.rack.rack import Host
from clients.rest import Steelyard

ROOT: Final = Path(__file__).resolve().parent.parent
REPORTING_S: Final = 30.0


async def join(
    client: Steelyard, hosts: Sequence[Host], folder: Path, more: Callable[[Host], Sequence[str]]
) -> None:
    """An agent for each host, outside of its limits; returns when all have reported. folder: each has one of its own
    in it. more: options of a host's agent. Raises TimeoutError."""
    for host in hosts:
        token = await asyncio.to_thread(client.create_host_token, host_name=host.name)
        own, net = folder / host.name, f"{host.spec.net_bytes_s:.0f}"
        await host.start(
            [
                sys.executable, "-m", "agents", "join", client.url, "--token", token["token"], "--name", host.name,
                "--address", host.address, "--data", str(own), "--cgroup", host.cgroup,
                "--capacity", f"net_in={net}", "--capacity", f"net_out={net}", *more(host),
            ],
            log=own / "agent.log", cwd=ROOT, limited=False,
        )  # fmt: skip
    async with asyncio.timeout(REPORTING_S):
        while not await _all_report(client, len(hosts)):
            await asyncio.sleep(0.2)


async def _all_report(client: Steelyard, count: int) -> bool:
    found = (await asyncio.to_thread(client.hosts))["results"]
    return len(found) == count and all(each["report_age_s"] is not None for each in found)
