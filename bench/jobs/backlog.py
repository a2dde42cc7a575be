"""B5: how long the API takes to answer while 100,000 jobs wait that cannot start, for all hosts are full.

The real control plane, agents that report, hosts whose cpu is held by what runs already; tenants of unequal size hand
their jobs in over REST. Then one client asks on a kept-alive connection, one request after the other, what people and
programs ask of a queue: jobs are handed in, listed, looked at and cancelled, tenants compared.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from bench.closed_loop import Unexpected, get, post
from bench.figures import Compared
from bench.load.client import Connection
from bench.load.summary import percentile
from bench.plane import ControlPlane
from bench.registry import Settings
from bench.results import Limit, Row, row
from bench.swarm import CAPACITY, Swarm
from clients.rest import Steelyard

JOBS, JOBS_FAST = 100_000, 2_000
HOSTS = 20
ASKED, ASKED_FAST = 400, 60
TOGETHER: Final = 1000
#: Jobs of each tenant and task in proportion.
TENANTS: Final = {"web": 40, "science": 25, "media": 15, "billing": 10, "search": 6, "mail": 4}
TASKS: Final = {
    "media.encode": 30, "science.fold": 25, "shop.invoice": 20, "mail.send": 15, "search.reindex": 9, "ops.audit": 1,
}  # fmt: skip
PRIORITIES: Final = {0: 80, 5: 15, 50: 5}
#: What is asked in a round, in proportion.
MIX: Final = {
    "hand in": 25, "job": 20, "jobs in a state": 10, "jobs of a tenant": 10, "jobs of a task": 5, "a later page": 5,
    "tenants": 5, "a tenant": 5, "shares": 5, "cancel": 10,
}  # fmt: skip
LIMIT = Limit("500 ms", most=500.0)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. kind: of MIX. body: of a POST; None of a GET."""

    kind: str
    path: str
    status: int = 200
    body: dict[str, Any] | None = None


async def run(settings: Settings) -> list[Row]:
    count, asked = settings.pick(JOBS, JOBS_FAST), settings.pick(ASKED, ASKED_FAST)
    rng = random.Random(1)
    seconds: dict[str, list[float]] = defaultdict(list)
    samples = []
    async with AsyncExitStack() as stack:
        plane = await stack.enter_async_context(ControlPlane())
        swarm = await stack.enter_async_context(Swarm(plane.url, await plane.host_tokens(HOSTS)))
        swarm.report_always(1.0)
        waiting = [job_of(rng) for _ in range(count)]
        settings.say(f"  handing {count:,} jobs in")
        await asyncio.to_thread(_fill, plane, [member.name for member in swarm.members], waiting)
        ids = [job["id"] for job in waiting]
        for _ in range(settings.rounds):
            taken = await _ask_all(plane, asks(asked, ids, rng))
            samples.append(percentile(sorted(spent for _, spent in taken), 99) * 1000)
            for kind, spent in taken:
                seconds[kind].append(spent)
    slowest = {kind: percentile(sorted(those), 99) * 1000 for kind, those in seconds.items()}
    for kind, ms in sorted(slowest.items(), key=lambda each: -each[1]):
        settings.say(f"  {kind}: p50 {percentile(sorted(seconds[kind]), 50) * 1000:.0f}, p99 {ms:.0f} ms")
    worst = max(slowest, key=slowest.__getitem__)
    note = (
        f"{count:,} jobs of {len(TENANTS)} tenants wait, {HOSTS} full hosts reporting; {asked} requests a round, one "
        f"after the other; slowest: {worst}, {slowest[worst]:.0f} ms; SQLite in WAL, synchronous=FULL"
    )
    packages = ("django", "djangorestframework", "django-rest-knox", "uvicorn", "pysqlite3")
    return [row("B5.backlog_p99_ms", Compared.of(samples), "ms", LIMIT, packages=packages, note=note)]


def job_of(rng: random.Random) -> dict[str, Any]:
    """A job as POST /api/v1/jobs/ takes it, with an id of its own."""
    demand = {"cpu": rng.choice((1.0, 2.0, 4.0)), "memory": rng.choice((1, 2, 4, 8)) * 2.0**30}
    return {
        "id": str(uuid.UUID(int=rng.getrandbits(128), version=4)), "task": _one_of(TASKS, rng),
        "tenant": _one_of(TENANTS, rng), "priority": _one_of(PRIORITIES, rng), "demand": demand,
        "args": [rng.randrange(10**6)], "tries": 3,
    }  # fmt: skip


def asks(count: int, waiting: list[str], rng: random.Random) -> list[Ask]:
    """So many requests in MIX's proportions, shuffled. Who is cancelled leaves `waiting`, who is handed in joins it."""
    total = sum(MIX.values())
    kinds = [kind for kind, part in MIX.items() for _ in range(max(1, round(count * part / total)))]
    rng.shuffle(kinds)
    return [_ask(kind, waiting, rng) for kind in kinds]


def _ask(kind: str, waiting: list[str], rng: random.Random) -> Ask:
    match kind:
        case "hand in":
            job = job_of(rng)
            waiting.append(job["id"])
            return Ask(kind, "jobs/", 201, job)
        case "job":
            return Ask(kind, f"jobs/{rng.choice(waiting)}/")
        case "cancel":
            place = rng.randrange(len(waiting))
            waiting[place], waiting[-1] = waiting[-1], waiting[place]
            return Ask(kind, f"jobs/{waiting.pop()}/cancel/", 200, {})
        case "a tenant":
            return Ask(kind, f"tenants/{_one_of(TENANTS, rng)}/")
        case "jobs of a tenant":
            return Ask(kind, f"jobs/?tenant={_one_of(TENANTS, rng)}&state=queued")
        case "jobs of a task":
            return Ask(kind, f"jobs/?task={_one_of(TASKS, rng)}")
    paths = {
        "jobs in a state": "jobs/?state=queued", "a later page": "jobs/?state=queued&offset=1000",
        "tenants": "tenants/", "shares": "tenant-shares/",
    }  # fmt: skip
    return Ask(kind, paths[kind])


def _one_of(parts: dict[Any, int], rng: random.Random) -> Any:
    return rng.choices(list(parts), weights=list(parts.values()))[0]


def _fill(plane: ControlPlane, hosts: Sequence[str], jobs: Sequence[dict[str, Any]]) -> None:
    """No host has a core left, and these jobs wait."""
    with Steelyard(plane.url, plane.token, timeout_s=60) as client:
        for host in hosts:
            held = {
                "kind": "job",
                "name": f"resident-{host}",
                "demand": {"cpu": CAPACITY["cpu"]},
                "pin_hosts": [host],
            }
            client.place(held)
        for start in range(0, len(jobs), TOGETHER):
            client.post("jobs/many/", {"jobs": jobs[start : start + TOGETHER]})


async def _ask_all(plane: ControlPlane, wanted: Sequence[Ask]) -> list[tuple[str, float]]:
    """Kind and seconds of each answer. Raises Unexpected."""
    parts = urlsplit(plane.url)
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, str(parts.hostname), int(parts.port or 80))
    taken = []
    try:
        for each in wanted:
            path = f"/api/v1/{each.path}"
            if each.body is None:
                request = get(plane.url, path, plane.token)
            else:
                request = post(plane.url, path, plane.token, json.dumps(each.body).encode())
            began = time.perf_counter()
            answer = await connection.ask(request)
            taken.append((each.kind, time.perf_counter() - began))
            if answer.status != each.status:
                raise Unexpected(f"{path} answered {answer.status}, not {each.status}")
    finally:
        connection.close()
    return taken
