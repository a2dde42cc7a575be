"""When the time of a drain is over: only said, or what is left is ended by the leading controller."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from balancer_core.placement import Load
from console.actions import SYSTEM, Actor
from console.controller import run
from console.controller.lease import Candidate, Fenced
from console.controller.targets import service_target, services_now
from console.events.models import Event
from console.fleet.actions.ending import EndDrain
from console.fleet.actions.lifecycle import Uncordon
from console.fleet.models import Host
from console.jobs.actions.attempt import Claim, Finish
from console.jobs.actions.submit import Submit
from console.jobs.models import Job
from console.placements.actions.place import Place
from console.traffic.actions.services import CreateService

DRAIN = "/api/v1/hosts/web-1/drain/"


@pytest.fixture
def leader(cluster: Any) -> run.Controller:
    """A controller that leads with epoch 1."""
    assert Candidate("a").campaign(0.0)
    return run.Controller()


@pytest.fixture
def running(cluster: Any) -> Job:
    """A job that runs on web-1, which also has an endpoint and what a program placed; web-2 has room."""
    cluster.add("web-1", address="127.0.8.1")
    CreateService("shop", "http", "127.0.0.1", 8080, [("web-1", 80)]).run(SYSTEM)
    Place(Load("service", "theirs", {"cpu": 1.0})).run(SYSTEM)
    job = Submit("demo.add", demand={"cpu": 1.0}).run(SYSTEM)
    assert Claim(str(job.pk), 1).run(Actor("agent", "web-1")) == ""
    cluster.add("web-2", address="127.0.8.2")
    return Job.objects.get(pk=job.pk)


def drained(api: Any, **asked: Any) -> Host:
    """web-1, whose drain of one minute began two minutes ago."""
    assert api.operator.post(DRAIN, {"deadline_s": 60, **asked}).status_code == 200
    ago = timedelta(minutes=2)
    Event.objects.filter(action="host.drain").update(at=timezone.now() - ago)
    host = Host.objects.get(name="web-1")
    if host.drain_ends_at is not None:
        host.drain_ends_at -= ago
        host.save()
    return host


def state_told() -> str:
    """What the engine is told of the endpoint."""
    (service,) = services_now()
    return service_target(service, {"127.0.8.1:80": 1}, timezone.now()).endpoints[0].state


def test_what_is_left_is_ended_once_it_was_asked_for(api: Any, leader: Any, running: Job) -> None:
    """The job starts anew elsewhere and its first attempt counts no more; the endpoint is closed; one audit line
    says how much it was, and what others placed stays."""
    drained(api, then_end=True)
    before = state_told()
    leader._sweep(1)
    leader._queue.place(1)
    moved = Job.objects.select_related("placement__host").get(pk=running.pk)
    late = Finish(str(running.pk), 1, result="late").run(Actor("agent", "web-1"))

    assert (before, state_told()) == ("draining", "closed")
    assert (moved.attempt, moved.placement.host.name) == (2, "web-2")
    assert late != ""
    line = Event.objects.get(action="host.end-drain")
    assert (line.actor_kind, line.after) == (
        "system",
        {"jobs_ended": 1, "endpoints_closed": 1, "placements_left": 1},
    )
    assert api.viewer.get("/api/v1/hosts/web-1/").json()["drain_ended_at"] is not None


def test_only_said_unless_asked_for(api: Any, leader: Any, running: Job) -> None:
    """As it always was."""
    drained(api)
    leader._sweep(1)

    assert Job.objects.get(pk=running.pk).state == "running"
    assert state_told() == "draining"
    assert not Event.objects.filter(action="host.end-drain").exists()


def test_taken_back_before_its_time_nothing_is_ended(api: Any, leader: Any, running: Job) -> None:
    """Neither by the sweep, nor by an action that was on its way already; after it, uncordon brings endpoints back."""
    drained(api, then_end=True)
    Uncordon("web-1").run(SYSTEM)
    EndDrain("web-1").run(SYSTEM)
    leader._sweep(1)
    assert Job.objects.get(pk=running.pk).state == "running"
    assert state_told() == "healthy"

    drained(api, then_end=True)
    leader._sweep(1)
    assert state_told() == "closed"
    Uncordon("web-1").run(SYSTEM)
    assert state_told() == "healthy"


def test_a_deposed_leader_ends_nothing(api: Any, leader: Any, running: Job) -> None:
    """What it meant to do is rolled back with its fence."""
    drained(api, then_end=True)

    with pytest.raises(Fenced):
        leader._end_drains(0)
    assert Job.objects.get(pk=running.pk).state == "running"
    assert Host.objects.get(name="web-1").drain_ended_at is None


def test_an_end_needs_a_time(api: Any, running: Job) -> None:
    """And changes nothing without one."""
    answer = api.operator.post(DRAIN, {"then_end": True})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "deadline_s")
    assert Host.objects.get(name="web-1").state == "active"
