"""The scenes of jobs: what arrives and what is asked, and how fair it went."""

from __future__ import annotations

import math
import random
from collections import Counter
from itertools import pairwise

import pytest

from bench.jobs.backlog import MIX, PRIORITIES, TENANTS, asks, job_of
from bench.jobs.beside_traffic import Beside, steady, told
from bench.jobs.mixed import MIX as MIXED
from bench.jobs.mixed import jain, mixture
from bench.jobs.piece import Piece
from bench.jobs.scene import Run
from bench.load.summary import Record, summarise


def test_the_mixture_comes_as_often_as_is_asked_for() -> None:
    """Poisson arrivals at the rate, each kind as often as its part; all at once at no rate; alike for one seed."""
    pieces = mixture(20_000, 5.0, random.Random(5))

    assert len(pieces) / pieces[-1].at_s == pytest.approx(5.0, rel=0.05)
    assert [piece.at_s for piece in pieces] == sorted(piece.at_s for piece in pieces)
    assert {piece.tenant for piece in pieces} == {tenant for tenant, _, _ in MIXED}
    assert sum(piece.tenant == "web" for piece in pieces) / len(pieces) == pytest.approx(0.7, abs=0.02)
    assert {piece.at_s for piece in mixture(50, math.inf, random.Random(5))} == {0.0}
    assert pieces == mixture(20_000, 5.0, random.Random(5))


def test_jains_index_is_one_where_tenants_fare_alike() -> None:
    """And falls to one over their number where only one is served; a killed job never was."""
    pieces = [Piece(0.0, "a", cpu_s=1.0), Piece(0.0, "b", cpu_s=1.0)]

    assert jain(pieces, Run(4.0, [2.0, 2.0], 0, 0.0)) == pytest.approx(1.0)
    assert jain(pieces, Run(4.0, [1.0, None], 1, 0.0)) == pytest.approx(0.5)
    assert 0.5 < jain(pieces, Run(4.0, [1.0, 4.0], 0, 0.0)) < 1.0


def test_a_backlog_is_of_several_tenants_and_priorities() -> None:
    """Each job with an id of its own, and none that a host without a free core could take."""
    rng = random.Random(5)
    jobs = [job_of(rng) for _ in range(5000)]

    assert {job["tenant"] for job in jobs} == set(TENANTS)
    assert {job["priority"] for job in jobs} == set(PRIORITIES)
    assert len({job["id"] for job in jobs}) == len(jobs)
    assert min(job["demand"]["cpu"] for job in jobs) >= 1.0


def test_what_is_asked_of_a_backlog_is_mixed_and_names_jobs_that_are_there() -> None:
    """In the mix's proportions; each cancelled once, and nobody looked at who was cancelled before."""
    rng = random.Random(5)
    waiting = [job_of(rng)["id"] for _ in range(50)]
    there, gone = set(waiting), set[str]()
    asked = asks(400, waiting, rng)

    assert {kind: 400 * part // 100 for kind, part in MIX.items()} == Counter(each.kind for each in asked)
    for each in asked:
        if each.kind == "hand in":
            there.add(each.body["id"] if each.body else "")
        elif each.kind in ("job", "cancel"):
            identity = each.path.split("/")[1]
            assert identity in there - gone
            gone |= {identity} if each.kind == "cancel" else set()
    assert there - gone == set(waiting)


def test_steady_jobs_take_what_they_are_said_to() -> None:
    """At even intervals, from the beginning until the time is over."""
    pieces = steady(0.4, 0.25, 30.0)
    gaps = {round(later.at_s - piece.at_s, 9) for piece, later in pairwise(pieces)}

    assert sum(piece.cpu_s for piece in pieces) == pytest.approx(0.4 * 30.0, rel=0.05)
    assert {piece.demand()["cpu"] for piece in pieces} == {0.25}
    assert len(gaps) == 1
    assert pieces[0].at_s == 0.0
    assert pieces[-1].at_s < 30.0


def test_a_note_tells_of_requests_and_jobs_over_all_turns() -> None:
    """A job that never ended was handed in all the same."""
    turns = [
        Beside(summarise([Record(0.0, 0.010, 200)]), Run(4.0, [2.0, None], 1, 0.0)),
        Beside(summarise([Record(0.0, 0.030, 200)]), Run(4.0, [1.0], 0, 0.0)),
    ]

    assert told(turns) == "p99 10 .. 30 ms, 2 of 3 jobs ended, within 2.0 s"
    assert told(turns[1:]) == "p99 30 ms, 1 of 1 jobs ended, within 1.0 s"
