"""B8: durable single placements over REST, beside an empty view with the same authentication.

A placement is a decision over all hosts with its explanation, and one transaction that reserves, keeps the
decision, the placement and the audit line, synced to disk. The peer does nothing behind the same door.
"""

from __future__ import annotations

from contextlib import AsyncExitStack

from bench.closed_loop import Loop, drive, post
from bench.empty.server import EmptyView
from bench.figures import Compared, in_turn
from bench.plane import ControlPlane
from bench.registry import Settings
from bench.results import Limit, Row, row
from bench.swarm import Swarm

HOSTS, HOSTS_FAST = 100, 5
ROUND_S, ROUND_FAST_S = 6.0, 1.0
WARM_S = 1.0
CLIENTS = (1, 4)
LOAD = b'{"kind": "job", "name": "encode", "demand": {"cpu": 0.01, "memory": 1000000}}'
PEER = "empty DRF view"
PACKAGES = ("django", "djangorestframework", "django-rest-knox", "uvicorn", "pysqlite3")
RATE = Limit("at least half the empty view's rate", of="ratio", least=0.5)
TAIL = Limit("the commit's sync to disk, and one writer at a time")


async def run(settings: Settings) -> list[Row]:
    rows = []
    async with AsyncExitStack() as stack:
        plane = await stack.enter_async_context(ControlPlane())
        empty = await stack.enter_async_context(EmptyView(plane.pids()["web"]))
        hosts = settings.pick(HOSTS, HOSTS_FAST)
        swarm = await stack.enter_async_context(Swarm(plane.url, await plane.host_tokens(hosts)))
        swarm.report_always(1.0)
        place = post(plane.url, "/api/v1/placements/", plane.token, LOAD)
        nothing = post(empty.url, "/empty/", empty.token, LOAD)
        round_s = settings.pick(ROUND_S, ROUND_FAST_S)
        for clients in CLIENTS:
            settings.say(f"  {clients} client{'s' * (clients > 1)}, {hosts} hosts")
            await drive(plane.url, place, clients, WARM_S)
            await drive(empty.url, nothing, clients, WARM_S)
            ours, peer = await in_turn(
                settings.rounds,
                lambda clients=clients: drive(plane.url, place, clients, round_s),  # type: ignore[misc]
                lambda clients=clients: drive(empty.url, nothing, clients, round_s),  # type: ignore[misc]
            )
            rows += _rows(clients, hosts, ours, peer)
    return rows


def _rows(clients: int, hosts: int, ours: list[Loop], peer: list[Loop]) -> list[Row]:
    ending = "" if clients == 1 else f".{clients}"
    who = f"{clients} client{'s' * (clients > 1)}, {hosts} hosts reporting once a second"
    note = f"{who}, SQLite in WAL, synchronous=FULL"
    rates = Compared.of([each.rate_per_s for each in ours], [each.rate_per_s for each in peer])
    tails = Compared.of([each.p99_ms for each in ours], [each.p99_ms for each in peer])
    return [
        row(f"B8.place_one{ending}", rates, "placements/s", RATE, peer=PEER, packages=PACKAGES, note=note),
        row(f"B8.p99{ending}", tails, "ms", TAIL, peer=PEER, packages=PACKAGES, note=note),
    ]
