"""B1 in simulation: the steering law and its picker beside every peer's rule, on the same requests.

Six hosts as 10 : 6 : 4 : 2.4 : 1.6 : 1, the fastest 100 requests/s, first come first served, all requests of
the same work: the scene of which a clairvoyant can be computed. All hosts declare the same size, so that
everything about them has to be learnt. A figure of a load is from the requests after the first WARM_S.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from balancer_core._kernels.picker import own_load
from balancer_core.sim.scenes import SCENES, UNEQUAL, hosts, poisson_requests
from balancer_core.sim.servers import Reports
from balancer_core.sim.traffic import Picking, Traffic
from bench.figures import Compared
from bench.registry import Settings
from bench.results import Limit, Row, row

LOADS = (30, 60, 80, 92)
WARM_S = 60.0
OURS = Picking("shortest_delay", "learned", own_counts=own_load(1))
CLAIRVOYANT = Picking("clairvoyant", "perfect")
PEERS = {
    "rr": (Picking("round_robin", "equal"), "round robin"),
    "two_choices": (Picking("two_choices", "equal"), "two random choices"),
    "lr_weights": (Picking("least_request", "perfect"), "Envoy's weighted least request, perfect weights"),
    "wrr_weights": (Picking("weighted_round_robin", "perfect"), "weighted round robin, perfect weights"),
    "perfect_picker": (
        Picking("shortest_delay", "perfect", own_counts=own_load(1)),
        "the same picker, perfect weights",
    ),
}
#: What happens, to which host, at which load (%). At 50 % without the fastest host, the others are at 83 %.
RECOVERIES = {
    "antagonist": ("antagonist", 0, 50),
    "antagonist_small": ("antagonist", 2, 60),
    "greedy": ("greedy_antagonist", 0, 50),
    "stuck": ("stuck", 0, 50),
    "thin_link": ("thin_link", 0, 50),
}
BEGIN_S, END_S, RECOVER_S = 60.0, 80.0, 3.0
#: How late reports come, in seconds.
LATE_S = (5, 15, 30)


@dataclass(frozen=True, slots=True)
class Scene:
    """One run of the six hosts: percent of their capacity, and what happens to one of them."""

    load: int
    seconds: float
    name: str = "calm"
    host: int = 0
    late_s: float = 0.2

    def run(self, picking: Picking, seed: int) -> Traffic:
        """The same requests for every picking with this seed."""
        chance = np.random.default_rng(seed)
        rate_per_s = self.load / 100.0 * sum(UNEQUAL)
        requests = poisson_requests(chance, rate_per_s, self.seconds, pickers=picking.pickers)
        return Traffic(
            hosts(UNEQUAL, declared=False),
            requests,
            picking,
            SCENES[self.name](self.host, BEGIN_S, END_S),
            reports=Reports(late_s=self.late_s),
            seed=seed,
        ).run(self.seconds)


def p99_ms(run: Traffic, begin_s: float, end_s: float) -> float:
    """Of the requests that came in this time and did not fail."""
    return float(np.percentile(run.latencies_s(begin_s, end_s), 99)) * 1000.0


def compared(scene: Scene, ours: Picking, peer: Picking, seeds: Iterable[int], begin_s: float) -> Compared:
    """p99 of both from begin_s on, a pair a seed; where something happens, until it ends."""
    end_s = scene.seconds if scene.name == "calm" else END_S
    sides: tuple[list[float], list[float]] = ([], [])
    for seed in seeds:
        for side, picking in zip(sides, (ours, peer), strict=True):
            side.append(p99_ms(scene.run(picking, seed), begin_s, end_s))
    return Compared.of(*sides)


def by_load(settings: Settings, seeds: Iterable[int]) -> Iterable[Row]:
    """Ours beside the clairvoyant and every peer, at every load."""
    for load in LOADS:
        scene = Scene(load, settings.pick(600.0, 150.0))
        limit = Limit("1.1 x clairvoyant", of="ratio", most=1.1)
        found = compared(scene, OURS, CLAIRVOYANT, seeds, WARM_S)
        yield row(f"B1.sim.clairvoyant.{load}", found, "ms p99", limit, peer="clairvoyant")
        for short, (picking, name) in PEERS.items():
            most = 1.15 if short == "perfect_picker" else 1.0
            found = compared(scene, OURS, picking, seeds, WARM_S)
            limit = Limit(f"{most:g} x {name}", of="ratio", most=most)
            yield row(f"B1.sim.vs_{short}.{load}", found, "ms p99", limit, peer=name)


def by_event(seeds: Iterable[int]) -> Iterable[Row]:
    """From three seconds after something began: ours beside the same picker that is told every speed."""
    told = Picking("shortest_delay", "followed", own_counts=own_load(1))
    for short, (name, host, load) in RECOVERIES.items():
        found = compared(Scene(load, 90.0, name, host), OURS, told, seeds, BEGIN_S + RECOVER_S)
        limit = Limit("1.15 x the same picker told the speeds", of="ratio", most=1.15)
        peer = "the same picker, told every speed every second"
        yield row(f"B1.sim.recovered.{short}", found, "ms p99", limit, peer=peer)
    picking, peer = PEERS["lr_weights"]
    found = compared(Scene(60, 90.0, "newcomer", 1), OURS, picking, seeds, BEGIN_S)
    yield row("B1.sim.newcomer", found, "ms p99", Limit(f"1 x {peer}", of="ratio", most=1.0), peer=peer)
    failing = Scene(50, 90.0, "fast_failure", 0)
    taken = [
        [float(failing.run(each, seed).shares(BEGIN_S + RECOVER_S, END_S)[0]) for seed in seeds]
        for each in (OURS, picking)
    ]
    limit = Limit("a twentieth of the requests", most=0.05)
    yield row("B1.sim.fast_fail_share", Compared.of(*taken), "share of requests", limit, peer=peer)


def by_age(settings: Settings, seeds: Iterable[int]) -> Iterable[Row]:
    """How far weights swing in the last half of a calm run, with reports that are old."""
    for late_s in LATE_S:
        scene, swings = Scene(60, settings.pick(600.0, 200.0), late_s=float(late_s)), []
        for seed in seeds:
            weights = np.array(scene.run(OURS, seed).weights)
            shares = (weights / weights.sum(axis=1, keepdims=True))[len(weights) // 2 :]
            swings.append(float((shares.max(axis=0) - shares.min(axis=0)).max()))
        yield row(
            f"B1.sim.swing.{late_s}",
            Compared.of(swings),
            "share of weights",
            Limit("a twentieth of all weights", most=0.05),
        )


def by_pickers(settings: Settings, seeds: Iterable[int]) -> Iterable[Row]:
    """Several pickers that each see their own requests: counting them for the others' too, and not."""
    for pickers in (2, 4):
        plain = Picking("shortest_delay", "learned", pickers=pickers)
        counting = Picking("shortest_delay", "learned", pickers=pickers, own_counts=own_load(pickers))
        found = compared(Scene(60, settings.pick(600.0, 150.0)), counting, plain, seeds, WARM_S)
        limit = Limit("the plain rule", of="ratio", most=1.0)
        yield row(f"B1.sim.pickers.{pickers}", found, "ms p99", limit, peer="each counts its own once")


def by_use(settings: Settings, seeds: Iterable[int]) -> Iterable[Row]:
    """Largest over mean utilisation, by capacity: of our picker, and of weighted round robin by our weights."""
    evened = Picking("weighted_round_robin", "learned")
    for load in LOADS[1:]:
        scene = Scene(load, settings.pick(600.0, 150.0))
        sides = [[uneven(scene, picking, seed) for seed in seeds] for picking in (OURS, evened)]
        yield row(
            f"B1.sim.cpu_max_avg.{load}",
            Compared.of(*sides),
            "largest / mean",
            Limit("the picker prefers fast hosts by design; the weights alone even out use", most=1.05),
            peer="weighted round robin by the same learnt weights",
        )


def uneven(scene: Scene, picking: Picking, seed: int) -> float:
    """Largest over mean utilisation of a whole run."""
    run = scene.run(picking, seed)
    return float(run.queues.busy_s.max() / np.average(run.queues.busy_s, weights=UNEQUAL))


async def run(settings: Settings) -> list[Row]:
    """All rows; everything is computed, nothing is timed."""
    seeds = range(1, settings.rounds + 1)
    rows: list[Row] = []
    for each in (
        *by_load(settings, seeds),
        *by_event(seeds),
        *by_age(settings, seeds),
        *by_pickers(settings, seeds),
        *by_use(settings, seeds),
    ):
        settings.say(
            f"  {each.id}: {each.ours:g} {each.unit}"
            + (f", {each.peer}: {each.peer_value:g}" if each.peer else "")
        )
        rows.append(each)
    return rows
