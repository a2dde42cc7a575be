"""Whose turn it is: tenants by their shares, a tenant's own jobs by priority and deadline, and nobody for ever last."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
import redis
from control_rig import GIB, agent
from django.conf import settings
from django.utils import timezone

from console.actions import SYSTEM, Invalid
from console.jobs import queue
from console.jobs.actions import place
from console.jobs.actions.attempt import Claim, Finish, mark_dispatched
from console.jobs.actions.ending import Cancel
from console.jobs.actions.place import PlaceWaiting
from console.jobs.actions.reaping import take_back_unbegun
from console.jobs.actions.submit import Submit, SubmitMany
from console.jobs.actions.tenants import ForgetTenant, SetTenant
from console.jobs.models import Job
from console.jobs.queue import stuck_hosts
from console.jobs.spec import Spec
from console.jobs.standing import standings, turn_of
from console.live.picture import picture
from console.placements import ledger


@pytest.fixture
def cluster(cluster: Any) -> Any:
    """With empty queues on the broker."""
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    return cluster


def spec(cpu: float = 1.0, **more: Any) -> Spec:
    return Spec("demo.add", demand={"cpu": cpu}, **more)


def placed() -> Counter[str]:
    """Jobs on hosts, by tenant."""
    return Counter(Job.objects.filter(state="placed").values_list("tenant", flat=True))


def state(job: Job) -> str:
    return Job.objects.get(pk=job.pk).state


def end(job: Job, host: str = "web-1") -> None:
    job.refresh_from_db()
    Claim(str(job.pk), job.attempt).run(agent(host))
    assert Finish(str(job.pk), job.attempt).run(agent(host)) == ""


def test_two_tenants_share_alike_whoever_came_first(cluster: Any) -> None:
    """A hundred of one's jobs in the queue do not keep the other's out."""
    SubmitMany([spec(tenant="big") for _ in range(20)]).run(SYSTEM)
    SubmitMany([spec(tenant="small") for _ in range(4)]).run(SYSTEM)
    cluster.add("web-1")

    PlaceWaiting().run(SYSTEM)

    assert placed() == {"big": 4, "small": 4}
    assert ledger.drift() == {}


def test_weights_divide_what_there_is(cluster: Any) -> None:
    """Three to one; what is left over by one goes to the other."""
    SetTenant("gold", weight=3.0).run(SYSTEM)
    SubmitMany([spec(tenant=tenant) for tenant in ("gold", "plain") for _ in range(8)]).run(SYSTEM)
    cluster.add("web-1")

    PlaceWaiting().run(SYSTEM)

    assert placed() == {"gold": 6, "plain": 2}


def test_shares_are_of_the_dominant_resource(cluster: Any) -> None:
    """Of 9 cores and 18 GiB one's jobs need 1 and 4, the other's 3 and 1: three and two run (the paper's example)."""
    paper = {"a": {"cpu": 1.0, "memory": 4 * GIB}, "b": {"cpu": 3.0, "memory": GIB}}
    SubmitMany([Spec("demo.add", demand=paper[name], tenant=name) for name in paper for _ in range(6)]).run(
        SYSTEM
    )
    cluster.add("web-1", cpu=9.0, memory=18 * GIB)

    PlaceWaiting().run(SYSTEM)

    assert placed() == {"a": 3, "b": 2}


def test_a_quota_bounds_and_burst_lends(cluster: Any) -> None:
    """What waits says so; who may burst has more only while nobody else waits for room."""
    cluster.add("web-1")
    SetTenant("capped", quota={"cpu": 2.0}).run(SYSTEM)
    SubmitMany([spec(tenant="capped") for _ in range(4)]).run(SYSTEM)

    assert placed() == {"capped": 2}
    waiting = Job.objects.filter(state="queued").first()
    assert waiting is not None
    assert "capped's quota of cpu is 2; its jobs hold 2" in waiting.waiting_for

    SubmitMany([spec(7.0, tenant="other")]).run(SYSTEM)
    SetTenant("capped", quota={"cpu": 2.0}, bursts=True).run(SYSTEM)
    PlaceWaiting().run(SYSTEM)
    assert placed() == {"capped": 2}

    Cancel(Job.objects.get(tenant="other").pk).run(SYSTEM)
    PlaceWaiting().run(SYSTEM)
    assert placed() == {"capped": 4}
    ForgetTenant("capped").run(SYSTEM)


def test_a_tenants_own_jobs_go_by_priority_then_deadline_then_age(cluster: Any) -> None:
    """Handed in in any order."""
    soon, later = timezone.now() + timedelta(hours=1), timezone.now() + timedelta(hours=2)
    wanted = [
        spec(labels={"n": "0"}, priority=5), spec(labels={"n": "1"}, deadline=soon),
        spec(labels={"n": "2"}, deadline=later), spec(labels={"n": "3"}), spec(labels={"n": "4"}, priority=-1),
    ]  # fmt: skip
    shuffled = wanted[:]
    random.Random(3).shuffle(shuffled)
    jobs = {each.labels["n"]: each for each in SubmitMany(shuffled).run(SYSTEM)}

    assert [jobs[str(n)].pk for n in range(5)] == [
        job.pk for job in place.queue.line(["default"], timezone.now(), 10).jobs["default"]
    ]
    assert "4 of default's own jobs go first" in turn_of(jobs["4"], picture.view()[0])["sentence"]  # type: ignore[index]


def test_what_stands_before_a_job_is_said(cluster: Any) -> None:
    """The other tenant's smaller share, with the figures of both."""
    cluster.add("web-1")
    SubmitMany([spec(7.0, tenant="big")]).run(SYSTEM)
    (mine,) = SubmitMany([spec(2.0, tenant="big")]).run(SYSTEM)
    SubmitMany([spec(2.0, tenant="small")]).run(SYSTEM)

    said = turn_of(mine, picture.view()[0])
    assert said is not None
    assert (said["ahead"], said["tenants_before"]) == (0, ["small"])
    assert "big holds 88% of cpu at weight 1; small holds 0%" in said["sentence"]
    assert [(each.name, each.waiting, each.running) for each in standings(picture.view()[0])] == [
        ("small", 1, 0), ("big", 1, 1),
    ]  # fmt: skip
    running = Job.objects.get(state="placed")
    assert turn_of(running, picture.view()[0]) is None


def test_who_comes_late_does_not_overtake(cluster: Any) -> None:
    """A job that would fit waits in the queue where others wait, and goes in its turn."""
    cluster.add("web-1")
    SubmitMany([spec(6.0)]).run(SYSTEM)
    large = Submit("demo.add", demand={"cpu": 4.0}).run(SYSTEM)
    small = Submit("demo.add", demand={"cpu": 1.0}).run(SYSTEM)
    assert [large.state, small.state] == ["queued", "queued"]

    PlaceWaiting().run(SYSTEM)
    assert [state(large), state(small)] == ["queued", "placed"]  # there is room for it beside


def test_a_large_job_is_not_starved_by_small_ones(cluster: Any) -> None:
    """After its patience a host is kept free for it, and the others say so."""
    cluster.add("web-1")
    busy = SubmitMany([spec(2.0) for _ in range(4)]).run(SYSTEM)
    large = Submit("demo.add", demand={"cpu": 8.0}).run(SYSTEM)
    Job.objects.filter(pk=large.pk).update(
        created_at=timezone.now() - timedelta(seconds=queue.PATIENCE_S + 60)
    )
    small = [Submit("demo.add", demand={"cpu": 2.0}).run(SYSTEM) for _ in range(3)]
    for job in busy:
        end(job)
        PlaceWaiting().run(SYSTEM)
        if state(large) == "queued":
            assert {"queued"} == {state(each) for each in small}
            assert "is kept free for demo.add" in Job.objects.get(pk=small[0].pk).waiting_for

    assert state(large) == "placed"


def test_nothing_piles_up_behind_a_slow_worker(cluster: Any) -> None:
    """A host that has not begun what it was sent gets no more; what waits there goes to another that has room."""
    cluster.add("web-1")
    sent = Submit("demo.add", demand={"cpu": 1.0}).run(SYSTEM)
    mark_dispatched([(sent.pk, 1)])
    placement = sent.placement
    assert placement is not None
    Job.objects.update(dispatched_at=timezone.now() - timedelta(seconds=10))
    held_up = Submit("demo.add", demand={"cpu": 1.0}).run(SYSTEM)
    assert "have not begun what they were sent: web-1" in Job.objects.get(pk=held_up.pk).waiting_for
    assert take_back_unbegun() == 0  # there is no other host

    cluster.add("web-2")
    assert take_back_unbegun() == 1
    PlaceWaiting().run(SYSTEM)

    assert {("placed", "web-2", 0)} == set(
        Job.objects.values_list("state", "placement__host__name", "losses")
    )
    assert stuck_hosts(timezone.now()) == {"web-1"}  # until it has begun something, or has rested
    Job.objects.filter(pk=held_up.pk).update(placement=placement, started_at=timezone.now())
    assert stuck_hosts(timezone.now()) == frozenset()


def test_jobs_wait_for_those_they_need(cluster: Any) -> None:
    """Handed in in any order, each goes when all that it needs have succeeded; a chain ends with its first link."""
    cluster.add("web-1")
    import uuid

    a, b, c, d = (uuid.uuid4() for _ in range(4))
    SubmitMany(
        [
            spec(identity=d, after=[b, c]), spec(identity=b, after=[a]), spec(identity=a), spec(identity=c, after=[a]),
        ]
    ).run(SYSTEM)  # fmt: skip
    get = Job.objects.get
    assert [get(pk=each).state for each in (a, b, c, d)] == ["placed", "blocked", "blocked", "blocked"]

    end(get(pk=a))
    PlaceWaiting().run(SYSTEM)
    assert [get(pk=each).state for each in (b, c, d)] == ["placed", "placed", "blocked"]
    end(get(pk=b))
    assert get(pk=d).state == "blocked"
    Cancel(c).run(SYSTEM)
    assert get(pk=d).state == "failed"
    assert f"It waited for job {c}" in get(pk=d).error
    assert Submit("demo.add", demand={"cpu": 1.0}, after=[b]).run(SYSTEM).state == "placed"


@pytest.mark.parametrize("links", [[(0, 0)], [(0, 1), (1, 0)], [(0, 1), (1, 2), (2, 0)]])
def test_a_circle_of_needs_is_refused(cluster: Any, links: list[tuple[int, int]]) -> None:
    """It is named, and nothing is kept; so is a job that is not there, and one that will never succeed."""
    import uuid

    ids = [uuid.uuid4() for _ in range(3)]
    specs = [
        spec(identity=ids[n], after=[ids[to] for from_, to in links if from_ == n]) for n in range(len(ids))
    ]
    with pytest.raises(Invalid, match="wait for each other: job 0"):
        SubmitMany(specs).run(SYSTEM)
    with pytest.raises(Invalid, match="no job is called"):
        Submit("demo.add", demand={"cpu": 1.0}, after=[ids[0]]).run(SYSTEM)
    assert not Job.objects.exists()
    gone = Submit("demo.add", demand={"cpu": 1.0}).run(SYSTEM)
    Cancel(gone.pk).run(SYSTEM)
    with pytest.raises(Invalid, match="would never run"):
        Submit("demo.add", demand={"cpu": 1.0}, after=[gone.pk]).run(SYSTEM)


def test_many_jobs_over_rest(cluster: Any, api: Any) -> None:
    """An array shares an id and is counted through; what is wrong names the job's place, and nothing is kept."""
    cluster.add("web-1")
    body = {"task": "demo.add", "demand": {"cpu": 1}}
    made = api.operator.post(
        "/api/v1/jobs/many/", {"jobs": [{**body, "args": [n]} for n in range(3)], "array": True}
    )
    assert made.status_code == 201, made.json()
    assert len({each["array"] for each in made.json()}) == 1
    found = api.viewer.get("/api/v1/jobs/", {"array": made.json()[0]["array"]}).json()["results"]
    assert {(each["position"], each["args"][0], each["state"]) for each in found} == {
        (n, n, "placed") for n in range(3)
    }
    wrong = api.operator.post("/api/v1/jobs/many/", {"jobs": [body, {**body, "tenant": "No Such"}]})
    assert (wrong.status_code, Job.objects.count()) == (400, 3)
    assert "1.tenant" in str(wrong.json())
    large = api.operator.post("/api/v1/jobs/", {**body, "args": ["x" * 300_000]})
    assert large.status_code == 400
    assert "at most" in str(large.json())
