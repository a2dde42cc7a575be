"""The leader's sweep: one bad thing does not stop the others."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import pytest
from django.utils import timezone

from console.actions import SYSTEM
from console.controller import run
from console.controller.lease import Candidate, Fenced, fenced
from console.events.models import Outbox
from console.fleet.models import Host
from console.jobs.actions import place
from console.jobs.actions.submit import Submit
from console.jobs.models import Job
from console.live import bells
from console.live.picture import picture
from console.storage.actions.pools import PutPool
from console.storage.actions.shards import CreateShard
from console.storage.models import DiskSeen, Replica, StoragePool


@pytest.fixture
def controller(cluster: Any) -> run.Controller:
    """A controller that leads with epoch 1."""
    assert Candidate("a").campaign(0.0)
    return run.Controller()


def test_jobs_behind_many_that_fit_nowhere_get_their_turn(
    controller: run.Controller, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep tries some; the next goes on behind them, and begins again at the end."""
    monkeypatch.setattr(place, "MOST_SEEN", 2)
    for cpu in (99.0, 99.0, 99.0, 1.0):
        Submit("demo.add", demand={"cpu": cpu}).run(SYSTEM)
    cluster.add("web-1")

    for _ in range(2):
        controller._queue.place(1)

    assert sorted(Job.objects.values_list("state", flat=True)) == ["placed", "queued", "queued", "queued"]
    Job.objects.filter(state="queued").update(demand={"cpu": 0.5})
    for _ in range(3):
        controller._queue.place(1)
    assert {"placed"} == set(Job.objects.values_list("state", flat=True))


def test_a_job_whose_resource_has_gone_waits_and_the_others_go_on(
    controller: run.Controller, cluster: Any
) -> None:
    """It was right when it was handed in; now it says what it waits for."""
    cluster.add("gpu-1", gpu=1.0)
    strange = Submit("demo.add", demand={"gpu": 2.0}).run(SYSTEM)
    plain = Submit("demo.add", demand={"cpu": 99.0}).run(SYSTEM)
    Job.objects.filter(pk=plain.pk).update(demand={"cpu": 1.0})
    picture.__init__()  # type: ignore[misc]  (a new process, and the host gone)
    from console.placements.models import Ledger

    Ledger.objects.filter(resource="gpu").delete()

    controller._queue.place(1)

    assert [Job.objects.get(pk=each.pk).state for each in (plain, strange)] == ["placed", "queued"]
    assert "gpu" in Job.objects.get(pk=strange.pk).waiting_for


def test_a_step_that_fails_does_not_stop_the_sweep(
    controller: run.Controller,
    cluster: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A defect met while replicas are moved leaves overdue jobs ended, and is logged."""

    def fail(epoch: int) -> int:
        raise KeyError("port")

    monkeypatch.setattr(run, "sweep_shards", fail)
    job = Submit("demo.add", demand={"cpu": 1.0}).run(SYSTEM)
    Job.objects.update(deadline=timezone.now())

    controller._sweep(1)

    assert Job.objects.get(pk=job.pk).state == "failed"
    assert "_move failed" in caplog.text


def test_pools_are_looked_at_and_disks_sampled(controller: run.Controller, cluster: Any) -> None:
    """Of the leader alone: how a pool stands and what is in use of each disk is kept."""
    cluster.add("web-1", used={"disk": 5.0})
    PutPool("p", parity=0, automatic="propose").run(SYSTEM)
    CreateShard("s", 1000, "web-1", "tree", pool="p").run(SYSTEM)
    Replica.objects.update(state="ready")
    Host.objects.update(state="draining")

    controller._look_at_pools(1)

    assert "1 copy is on hosts that drain." in StoragePool.objects.get(pk="p").said
    assert DiskSeen.objects.get().samples[0][1] == 5.0
    with pytest.raises(Fenced):
        controller._look_at_pools(0)


async def test_one_bell_of_jobs_stands_for_those_that_follow_it() -> None:
    """They are not rung for a while: the queue is looked at once, and then again."""
    controller = run.Controller()
    controller._hear(bells.JOBS)
    assert controller._room.is_set()
    controller._room.clear()

    async with asyncio.timeout(10):
        await controller._room.wait()


def test_a_deposed_leader_marks_no_message_as_sent(controller: run.Controller, cluster: Any) -> None:
    """What it sent may come twice: who leads now sends it again, and marks it."""
    cluster.add("web-1")
    job = Submit("demo.add", demand={"cpu": 1.0}).run(SYSTEM)

    with pytest.raises(Fenced):
        run.relay_outbox(functools.partial(fenced, 0))
    assert (Job.objects.get(pk=job.pk).state, Outbox.objects.filter(sent_at=None).count()) == ("placed", 1)

    assert run.relay_outbox(functools.partial(fenced, 1)) == 1
    assert (Job.objects.get(pk=job.pk).state, Outbox.objects.filter(sent_at=None).count()) == (
        "dispatched",
        0,
    )


def test_a_deposed_leader_sweeps_nothing(controller: run.Controller, cluster: Any) -> None:
    """Its epoch is stale: Fenced, and nothing is placed."""
    Submit("demo.add", demand={"cpu": 1.0}).run(SYSTEM)
    cluster.add("web-1")

    for step in (controller._sweep, controller._queue.place):
        with pytest.raises(Fenced):
            step(0)

    assert list(Job.objects.values_list("state", flat=True)) == ["queued"]
