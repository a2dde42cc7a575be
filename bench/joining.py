"""Agents on a rack's hosts, joined as an operator does it."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from bench.rack.rack import Host
from clients.rest import Steelyard

ROOT: Final = Path(__file__).resolve().parent.parent
REPORTING_S: Final = 30.0


async def join(
    client: Steelyard, hosts: Sequence[Host], folder: Path, more: Callable[[Host], Sequence[str]]
) -> list[Process]:
    """An agent for each host, outside of its limits; returns them when all have reported. folder: each has one of its
    own in it. more: options of a host's agent. Raises TimeoutError."""
    agents = []
    for host in hosts:
        token = await asyncio.to_thread(client.create_host_token, host_name=host.name)
        own = folder / host.name
        own.mkdir(parents=True, exist_ok=True)
        agents.append(
            await host.start(
                [
                    sys.executable, "-m", "agents", "join", client.url, "--token", token["token"],
                    "--name", host.name, "--address", host.address, "--data", str(own), *_limits(host), *more(host),
                ],
                log=own / "agent.log", cwd=ROOT, limited=False,
            )
        )  # fmt: skip
    async with asyncio.timeout(REPORTING_S):
        while not await _all_report(client, len(hosts)):
            await asyncio.sleep(0.2)
    return agents


def _limits(host: Host) -> list[str]:
    """What the host has, as its agent is told: its control group, or where it has none what stands in its spec."""
    spec = host.spec
    amounts = {"net_in": spec.net_bytes_s, "net_out": spec.net_bytes_s}
    if not host.cgroup:
        amounts |= {"cpu": spec.cores, "memory": float(spec.memory_bytes)}
    group = ["--cgroup", host.cgroup] if host.cgroup else []
    return [
        *group,
        *(word for name, most in amounts.items() for word in ("--capacity", f"{name}={most:.12g}")),
    ]


async def _all_report(client: Steelyard, count: int) -> bool:
    found = (await asyncio.to_thread(client.hosts))["results"]
    return len(found) == count and all(each["report_age_s"] is not None for each in found)
