"""The demo's hosts: five, unequal, in two zones and three racks; each with an agent, its worker, and a server."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from asyncio.subprocess import Process
from dataclasses import dataclass
from pathlib import Path

from bench.rack.rack import Host, HostSpec
from clients.rest import Steelyard

HTTP_PORT, TCP_PORT = 8080, 9090
MIB, GIB = 2**20, 2**30
ROOT = Path(__file__).resolve().parent.parent.parent

#: cpu quotas 10 : 6 : 4 : 2.4 : 1.6, the unequal hosts on which balancers are usually compared.
SPECS = [
    HostSpec("demo-1", 0.50, 1 * GIB, 25e6, {"zone": "a", "rack": "a1", "disk": "ssd"}),
    HostSpec("demo-2", 0.30, 768 * MIB, 25e6, {"zone": "a", "rack": "a1"}),
    HostSpec("demo-3", 0.20, 512 * MIB, 12e6, {"zone": "a", "rack": "a2", "disk": "ssd"}),
    HostSpec("demo-4", 0.12, 512 * MIB, 12e6, {"zone": "b", "rack": "b1"}),
    HostSpec("demo-5", 0.08, 384 * MIB, 6e6, {"zone": "b", "rack": "b1"}),
]


@dataclass
class DemoHost:
    """One host and what was started on it; its worker is the agent's."""

    host: Host
    agent: Process
    server: Process

    @property
    def name(self) -> str:
        return self.host.name

    async def kill_server(self) -> None:
        """Power off the server process, as a crash would."""
        await self.host.kill(self.server)


async def furnish(host: Host, client: Steelyard, url: str, broker: str, data: Path) -> DemoHost:
    """Start the host's processes. Each starts outside the cpu quota and is put under it once it is ready:
    importing Python's libraries under a twelfth of a core would take half a minute."""
    own = data / host.name
    own.mkdir(parents=True, exist_ok=True)
    python = sys.executable
    token = await asyncio.to_thread(lambda: client.create_host_token(host_name=host.name)["token"])
    labels = [word for key, value in host.labels.items() for word in ("--label", f"{key}={value}")]
    limits = ["--cgroup", host.cgroup] if host.cgroup else [
        "--capacity", f"cpu={host.spec.cores}", "--capacity", f"memory={host.spec.memory_bytes}",
    ]  # fmt: skip
    bandwidth = [
        "--capacity", f"net_in={host.spec.net_bytes_s:.0f}",
        "--capacity", f"net_out={host.spec.net_bytes_s:.0f}",
    ]  # fmt: skip
    worker = [
        python, "-m", "celery", "-A", "bench.demo.tasks", "worker", "-P", "solo", "--without-gossip",
        "--without-mingle", "--without-heartbeat", "-l", "WARNING",
    ]  # fmt: skip
    agent = await host.start(
        [
            python, "-m", "agents", "join", url, "--token", token, "--name", host.name, "--address", host.address,
            "--data", str(own), "--worker", shlex.join(worker), "--worker-directory", str(ROOT),
            *limits, *bandwidth, *labels,
        ],
        env={"REDIS_URL": broker}, log=own / "agent.log", cwd=ROOT, limited=False, ready="ready", ready_timeout_s=60,
    )  # fmt: skip
    server = await host.start(
        [
            python, "-m", "bench.rack.backend", "--address", host.address, "--port", str(HTTP_PORT),
            "--tcp-port", str(TCP_PORT), "--name", host.name,
        ],
        log=own / "server.log", cwd=ROOT, limited=False, ready="ready",
    )  # fmt: skip
    await host.adopt(server.pid)
    await _until_reporting(host.name, agent, client, own / "agent.log")
    for pid in (agent.pid, json.loads((own / "worker.json").read_text())["pid"]):
        await host.adopt(pid)
    return DemoHost(host, agent, server)


async def _until_reporting(name: str, agent: Process, client: Steelyard, log: Path) -> None:
    """Until the console has heard of the host; at most 20 s. Raises RuntimeError with the agent's last words."""
    for _ in range(100):
        if agent.returncode is not None:
            break
        found = await asyncio.to_thread(lambda: client.hosts(name=name)["results"])
        if found and found[0]["report_age_s"] is not None:
            return
        await asyncio.sleep(0.2)
    raise RuntimeError(f"the agent of {name} does not report: {log.read_text()[-500:]}")
