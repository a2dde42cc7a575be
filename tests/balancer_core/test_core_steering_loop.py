"""The control law in a closed loop: weights move load, load moves utilisation and queues, reports come late."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from balancer_core.steering import EndpointView, Steering, WeightPlan

CORES = (4.0, 4.0, 4.0, 2.0, 1.0)
SPEEDS = (1.0, 0.5, 1.5, 1.0, 0.8)  # what a core is worth there, which nobody declares
COST = 0.02  # core x seconds of speed 1 that a request takes


@dataclass
class Loop:
    """Unequal hosts that split a steady load (in cores of speed 1) by weight, seen delay_s late, one step a
    second."""

    load_cores: float
    delay_s: int
    steering: Steering = field(default_factory=Steering)
    worst: list[float] = field(default_factory=list)
    shares: list[list[float]] = field(default_factory=list)

    def run(self, seconds: int) -> Loop:
        """Step for so long; keeps the largest over the mean utilisation, and the shares, of every second."""
        keys = [f"host-{number}" for number in range(len(CORES))]
        seen = deque([[0.0] * len(CORES)] * (self.delay_s + 1), maxlen=self.delay_s + 1)
        asked, queued = [0.0] * len(CORES), [0.0] * len(CORES)
        for now in range(seconds):
            age_s = float(self.delay_s) if now > self.delay_s else float("inf")
            views = [
                EndpointView(key, cores, used, rate, 0.0, waiting, age_s, healthy=True)
                for key, cores, used, rate, waiting in zip(keys, CORES, seen[0], asked, queued, strict=True)
            ]
            weights = self.steering.step(views, float(now)).weights
            shares = [weights[key] / sum(weights.values()) for key in keys]
            used = []
            for place, share in enumerate(shares):
                most = CORES[place] * SPEEDS[place] / COST
                asked[place] = self.load_cores * share / COST
                backlog = max(0.0, queued[place] - CORES[place]) + asked[place] - most
                used.append(min(1.0, asked[place] / most if backlog <= 0.0 else 1.0))
                queued[place] = CORES[place] * used[-1] + max(0.0, backlog)
            seen.append(used)
            self.shares.append(shares)
            self.worst.append(max(used) * len(used) / sum(used))
        return self


@pytest.mark.parametrize("delay_s", [0, 1, 5, 15, 30])
@pytest.mark.parametrize("load_cores", [2.0, 6.0, 10.0])
def test_utilisation_of_unequal_hosts_converges(load_cores: float, delay_s: int) -> None:
    """From 1.26 and more the largest over the mean comes to 1.05 and stays there, also with old reports."""
    loop = Loop(load_cores, delay_s).run(240)
    assert loop.worst[0] > 1.26
    assert max(loop.worst[120:]) <= 1.05


@pytest.mark.parametrize("delay_s", [0, 5, 15, 30])
def test_old_reports_do_not_make_it_swing(delay_s: int) -> None:
    """No host's share turns around more than once a minute."""
    loop = Loop(6.0, delay_s).run(240)
    for column in zip(*loop.shares, strict=True):
        moves = [after - before for before, after in pairwise(column) if abs(after - before) > 1e-3]
        turns = sum((one > 0) != (other > 0) for one, other in pairwise(moves))
        assert turns <= 4


def test_what_a_unit_of_weight_stands_for_is_learnt() -> None:
    """Together the weights stand for what all hosts can serve, within a tenth; it moves in few steps."""
    steering, seen = Steering(), []
    loop = Loop(6.0, 0, steering)
    step = steering.step

    def watched(views: list[EndpointView], now: float) -> WeightPlan:
        plan = step(views, now)
        seen.append((plan.per_weight, sum(plan.weights.values())))
        return plan

    steering.step = watched  # type: ignore[method-assign,assignment]
    loop.run(240)
    per_weight, weights = seen[-1]
    most = sum(cores * speed for cores, speed in zip(CORES, SPEEDS, strict=True)) / COST

    assert seen[0][0] is None
    assert per_weight is not None
    assert per_weight * weights == pytest.approx(most, rel=0.1)
    assert len({each for each, _ in seen[120:]}) <= 3
