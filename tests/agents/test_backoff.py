"""Back-off with full jitter, its random numbers in the test's hands."""

from __future__ import annotations

from random import Random

from agents.backoff import Backoff


def test_delays_grow_to_the_cap_and_never_past_it() -> None:
    """Each ceiling is twice the last until 30 s; every delay lies between 0 and its ceiling."""
    ceilings = [1, 2, 4, 8, 16] + [30] * 2000
    for seed in range(20):
        backoff = Backoff(Random(seed))
        assert all(0 <= backoff.after_failure() <= ceiling for ceiling in ceilings)


def test_a_swarm_does_not_come_back_together() -> None:
    """Of 1,000 agents that lost the same server, no tenth of the range takes more than a fifth of them."""
    delays = [Backoff(Random(seed)).after_busy() for seed in range(1000)]
    tenths = [sum(1 + 2.9 * n <= delay < 1 + 2.9 * (n + 1) for delay in delays) for n in range(10)]

    assert sum(tenths) >= 999
    assert max(tenths) < 200


def test_reset_makes_the_next_failure_a_first_one() -> None:
    """After a connection that held, the ceiling is the base again."""
    backoff = Backoff(Random(1))
    for _ in range(10):
        backoff.after_failure()
    backoff.reset()

    assert backoff.after_failure() <= 1.0
