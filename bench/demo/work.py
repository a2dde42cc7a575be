"""The load of every kind that the demo sends, and what it came to."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.demo.hosts import HTTP_PORT, TCP_PORT, DemoHost
from bench.load import Generator, LoadPlan, Summary
from clients.rest import Steelyard
from console.engines.envoy.stats import read

BURN_MS = 4
JOBS, JOB_MS = 60, 60
SHARDS, REPLICAS = 12, 2
#: Looks at the engine for a moment when the victim holds a request, each a few milliseconds.
MOST_LOOKS = 200
LEAST_REQUESTS, LEAST_JOBS, LEAST_SHARDS = 2000, 50, 10


def request_rate(seconds: float) -> float:
    """Requests a second that make the promised number within the run, with a tenth to spare."""
    return max(60.0, LEAST_REQUESTS * 1.1 / seconds)


@dataclass
class Kill:
    """What was seen when one server was killed."""

    host: str
    in_flight: int
    share_before: float
    at_s: float


@dataclass
class Outcome:
    """Everything the summary tells."""

    traffic: Summary
    rate_per_s: float
    share_before_kill: dict[str, float]
    kill: Kill | None
    failures_after_kill: int
    answers_after_kill: int  # by the killed server, later than a grace after its death
    tcp_answers: dict[str, int]
    jobs: dict[str, int]
    job_hosts: dict[str, int]
    replicas: dict[str, int]
    decisions: int


class Work:
    """One run of load against one rack."""

    def __init__(
        self, client: Steelyard, hosts: list[DemoHost], address: str, ports: tuple[int, int]
    ) -> None:
        self._client, self._hosts = client, hosts
        self._address, (self._http, self._tcp) = address, ports
        self._jobs: list[str] = []
        self._shards: list[str] = []

    async def create_services(self) -> None:
        """One HTTP and one TCP service over all hosts; nobody says a weight."""
        for name, protocol, listen, port in (
            ("web", "http", self._http, HTTP_PORT),
            ("echo", "tcp", self._tcp, TCP_PORT),
        ):
            body = {
                "name": name,
                "protocol": protocol,
                "listen": f"{self._address}:{listen}",
                "endpoints": [f"{host.name}:{port}" for host in self._hosts],
            }
            await asyncio.to_thread(self._client.create_service, body)
        await _until_answering(
            self._address, self._http, b"GET / HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n"
        )
        await _until_answering(self._address, self._tcp, b"are you there?\n")

    def generator(self, seconds: float) -> Generator:
        url = f"http://{self._address}:{self._http}/burn?ms={BURN_MS}"
        return Generator(LoadPlan(url, rate_per_s=request_rate(seconds), seconds=seconds, seed=1))

    async def hand_in_jobs(self, seconds: float) -> None:
        """JOBS jobs, evenly over this time."""
        for number in range(JOBS):
            started = time.monotonic()
            job = await asyncio.to_thread(
                self._client.create_job,
                {"task": "demo.burn", "args": [JOB_MS], "demand": {"cpu": 0.02, "memory": 16 * 2**20}},
            )
            self._jobs.append(job["id"])
            if number < JOBS - 1:
                await asyncio.sleep(max(0.0, seconds / JOBS - (time.monotonic() - started)))

    async def create_shards(self, seconds: float, source: DemoHost, folder: Path) -> None:
        """SHARDS file trees of random content on one host, each copied to REPLICAS racks."""
        for number in range(SHARDS):
            name = f"shard-{number:02d}"
            size = await asyncio.to_thread(_make_tree, folder / name, 200_000 + 40_000 * number)
            await asyncio.to_thread(
                self._client.create_shard,
                {
                    "name": name,
                    "bytes": size,
                    "source_host": source.name,
                    "source_path": name,
                    "replicas": REPLICAS,
                    "spread": "rack",
                },
            )
            self._shards.append(name)
            await asyncio.sleep(seconds / SHARDS)

    async def count_tcp(self, connections: int) -> dict[str, int]:
        """Connections through the TCP service that echoed what was sent: {"echoed": n, "failed": m}."""
        counted: Counter[str] = Counter()
        for number in range(connections):
            try:
                async with asyncio.timeout(5):
                    reader, writer = await asyncio.open_connection(self._address, self._tcp)
                    line = f"connection {number}\n".encode()
                    writer.write(line)
                    counted["echoed" if await reader.readline() == line else "failed"] += 1
                    writer.close()
            except (OSError, TimeoutError):
                counted["failed"] += 1
        return dict(counted)

    async def kill_one(
        self, victim: DemoHost, generator: Generator, admin_socket: Path, began: float
    ) -> Kill:
        """Kill one server in the middle of its work: at a moment when it holds requests, read how many."""
        before = generator.summary().share
        key = f"{victim.host.address}:{HTTP_PORT}"
        in_flight = 0
        for _ in range(MOST_LOOKS):
            in_flight = (await read(str(admin_socket)))["web"][key].rq_active
            if in_flight:
                break
        at = time.monotonic() - began
        await victim.kill_server()
        return Kill(victim.name, in_flight, before.get(victim.name, 0.0), at)

    async def settle(self, patience_s: float) -> None:
        """Until every job has ended and every replica is ready, or patience runs out."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            jobs, _ = await self.jobs()
            replicas = await self.replicas()
            if not (set(jobs) - {"succeeded", "failed", "cancelled"}) and not (
                set(replicas) - {"ready", "failed"}
            ):
                return
            await asyncio.sleep(0.25)

    async def jobs(self) -> tuple[dict[str, int], dict[str, int]]:
        """The jobs by state, and the ended ones by host."""
        answer = await asyncio.to_thread(self._client.jobs, limit=1000)
        states: Counter[str] = Counter()
        hosts: Counter[str] = Counter()
        for job in answer["results"]:
            states[job["state"]] += 1
            if job["state"] == "succeeded":
                hosts[job["host"]] += 1
        return dict(states), dict(hosts)

    async def replicas(self) -> dict[str, int]:
        answer = await asyncio.to_thread(self._client.shards, limit=1000)
        return dict(Counter(each["state"] for shard in answer["results"] for each in shard["replicas"]))

    async def decisions(self) -> int:
        answer: dict[str, Any] = await asyncio.to_thread(self._client.decisions, limit=1)
        return int(answer["count"])


def _make_tree(folder: Path, size: int) -> int:
    """A small file tree of random bytes; returns its size."""
    parts = (0.5, 0.3, 0.15, 0.05)
    total = 0
    for number, part in enumerate(parts):
        file = folder / ("data" if number % 2 else "index") / f"part-{number}.bin"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(int(size * part)))
        total += file.stat().st_size
    return total


async def _until_answering(address: str, port: int, question: bytes) -> None:
    """Until the engine serves the new listener; at most 20 s."""
    for _ in range(200):
        try:
            reader, writer = await asyncio.open_connection(address, port)
            writer.write(question)
            answer = await reader.read(32)
            writer.close()
            if answer.startswith((b"HTTP/1.1 200", question)):
                return
        except OSError:
            pass  # not listening yet
        await asyncio.sleep(0.1)
    raise TimeoutError(f"no service answers on {address}:{port}")
