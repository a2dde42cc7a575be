"""Jobs of a higher priority take the room of those that may be preempted: visibly, within bounds, and nobody's try."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from control_rig import GIB, agent
from django.conf import settings

from balancer_core.lifecycle import JOB
from console.actions import SYSTEM, Conflict, Invalid
from console.controller.lease import Candidate
from console.controller.work import Queue
from console.events.models import Event, Outbox
from console.jobs.actions.attempt import Claim, Finish
from console.jobs.actions.ending import Cancel
from console.jobs.actions.place import PlaceWaiting
from console.jobs.actions.preempt import Preempt
from console.jobs.actions.submit import Submit
from console.jobs.actions.tenants import SetTenant
from console.jobs.broker import WorkersBroker
from console.jobs.models import Job, Preemption
from console.jobs.outbox import relay_outbox
from console.jobs.preemption import MOST_PREEMPTIONS, takings
from console.jobs.stopping import STOP_ATTEMPT
from console.placements import ledger
from console.placements.models import Decision, Placement

WEB = agent("web-1")


@pytest.fixture
def host(cluster: Any) -> Any:
    """One host of eight cores, and empty queues on the broker."""
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    return cluster.add("web-1")


def submit(cpu: float = 8.0, priority: int = 0, **more: Any) -> Job:
    return Submit("demo.add", args=[1, 2], demand={"cpu": cpu}, priority=priority, **more).run(SYSTEM)


def at(job: Job) -> tuple[str, int]:
    return str(job.pk), Job.objects.get(pk=job.pk).attempt


def begun(cpu: float = 8.0, priority: int = 0, *, preemptible: bool = True, **more: Any) -> Job:
    """A job that runs."""
    job = submit(cpu, priority, preemptible=preemptible, **more)
    assert Claim(*at(job)).run(WEB) == ""
    return job


def look() -> int:
    """What the controller does once a second. How many found room by others' leaving."""
    PlaceWaiting().run(SYSTEM)
    made = 0
    for taking in takings():
        Preempt(taking).run(SYSTEM)
        made += 1
    return made


def states(*jobs: Job) -> list[str]:
    return [Job.objects.get(pk=job.pk).state for job in jobs]


def test_a_job_of_a_higher_priority_takes_the_room_and_everything_says_so(host: Any, cluster: Any) -> None:
    """In one transaction; both jobs, the audit trail and the decision name who, whom and why; it costs no try."""
    low = begun(tries=1)
    old = at(low)
    high = submit(priority=5)

    assert look() == 1

    low.refresh_from_db()
    high.refresh_from_db()
    assert (low.state, low.preemptions, low.failures, low.losses, low.not_before) == ("queued", 1, 0, 0, None)
    assert (high.state, high.attempt, high.placement.host.name) == ("placed", 1, "web-1")
    said = low.preempted.get()
    assert (said.by_id, said.host, said.attempt) == (high.pk, "web-1", old[1])
    assert f"preempted by demo.add {str(high.pk)[:8]} because that has priority 5, this one 0" in said.reason
    assert list(high.preempted_others.all()) == [said]
    decision = Decision.objects.get(placement=high.placement)
    assert f"demo.add/{low.pk} left for it" in decision.sentence
    assert decision.preemption["best"]["leaving"][0]["name"] == f"demo.add/{low.pk}"
    lines = {
        event.action: event for event in Event.objects.filter(action__startswith="job.preempt").order_by("id")
    }
    assert lines["job.preempted"].subject == str(low.pk)
    assert lines["job.preempted"].reason == said.reason
    assert lines["job.preempt"].after["left"] == [str(low.pk)]
    assert lines["job.preempt"].act == lines["job.preempted"].act
    assert Outbox.objects.get(topic=STOP_ATTEMPT).payload == {"job": old[0], "attempt": old[1]}
    assert Finish(*old, result="late").run(WEB) != ""
    assert cluster.reserved("web-1") == 8.0
    assert ledger.drift() == {}
    Cancel(high.pk).run(SYSTEM)
    PlaceWaiting().run(SYSTEM)
    assert (states(low), at(low)[1]) == (["placed"], old[1] + 1)


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ({"preemptible": False}, {"priority": 5}), ({}, {"priority": 0}), ({"priority": 5}, {"priority": 5}),
        ({}, {"priority": 5, "cpu": 9.0}), ({"tenant": "a"}, {"priority": 5, "tenant": "b"}),
    ],
)  # fmt: skip
def test_nobody_leaves_who_need_not(host: Any, low: dict[str, Any], high: dict[str, Any]) -> None:
    """Who did not say that it may, whose priority is as high, for what would not fit all the same, for a stranger."""
    first = begun(**low)
    second = submit(**high)

    assert look() == 0
    assert states(first, second) == ["running", "queued"]
    assert not Preemption.objects.exists()


def test_nobody_leaves_while_another_host_has_room(host: Any, cluster: Any) -> None:
    """The job goes there."""
    low = begun()
    cluster.add("web-2")
    high = submit(priority=5)

    assert look() == 0
    assert states(low, high) == ["running", "placed"]


def test_the_least_work_is_done_again(host: Any) -> None:
    """Of the lowest priority, what began last, and no more of it than must."""
    from datetime import timedelta

    from django.utils import timezone

    jobs = [begun(2.0, priority) for priority in (0, 0, 0, 1)]
    Job.objects.filter(pk=jobs[0].pk).update(started_at=timezone.now() - timedelta(hours=1))
    Job.objects.filter(pk=jobs[2].pk).update(started_at=timezone.now() - timedelta(minutes=1))
    high = submit(2.0, priority=5)

    assert look() == 1
    assert states(*jobs, high) == ["running", "queued", "running", "running", "placed"]


def test_what_has_not_begun_leaves_without_a_stop(host: Any) -> None:
    """There is no body to end, and its message is no longer owed."""
    low = submit(preemptible=True)
    submit(priority=5)

    assert look() == 1
    assert states(low) == ["queued"]
    assert not Outbox.objects.filter(topic=STOP_ATTEMPT).exists()
    assert relay_outbox() == 2  # the old message is passed over, the new one is sent
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        assert client.llen("host.web-1") == 1


def test_a_preempted_job_does_not_preempt_back_and_not_for_ever(host: Any) -> None:
    """After MOST_PREEMPTIONS times it stays, whoever comes."""
    low = begun(priority=1)
    for number in range(MOST_PREEMPTIONS):
        high = submit(priority=5 + number)
        assert look() == 1
        assert look() == 0
        Cancel(high.pk).run(SYSTEM)
        PlaceWaiting().run(SYSTEM)
        assert Claim(*at(low)).run(WEB) == ""

    submit(priority=50)
    assert look() == 0
    low.refresh_from_db()
    assert (low.state, low.preemptions) == ("running", MOST_PREEMPTIONS)
    assert low.preempted.count() == MOST_PREEMPTIONS


def test_another_tenants_room_is_taken_by_policy_and_below_the_fair_part_only(host: Any) -> None:
    """With the policy "others", while the one holds less than its part and the other one more."""
    large = begun(6.0, tenant="a")
    begun(2.0, tenant="b", preemptible=False)
    high = submit(4.0, priority=5, tenant="b")
    assert look() == 0

    SetTenant("b", preempts="others", weight=0.25).run(SYSTEM)
    assert look() == 0  # 25 % where 20 % is its fair part

    SetTenant("b", preempts="others").run(SYSTEM)
    assert look() == 1

    assert states(large, high) == ["queued", "placed"]
    assert "b held 25% where 50% is its fair part, a 75% where it is 50%" in large.preempted.get().reason


def test_a_quota_is_kept_and_a_policy_can_forbid(host: Any) -> None:
    """Who may hold no more takes nobody's room; nor who is not to."""
    low = begun()
    submit(priority=5)
    SetTenant("default", preempts="none").run(SYSTEM)
    assert look() == 0
    SetTenant("default", quota={"cpu": 8.0}).run(SYSTEM)
    assert look() == 0
    assert states(low) == ["running"]
    with pytest.raises(Invalid, match="none, own, others"):
        SetTenant("default", preempts="all").run(SYSTEM)


def test_what_was_decided_on_another_moment_moves_nobody(host: Any, cluster: Any) -> None:
    """The job that was to leave has ended, or the one that waits no longer does: all stays as it is."""
    low = begun()
    high = submit(priority=5)
    PlaceWaiting().run(SYSTEM)
    (taking,) = takings()
    Finish(*at(low)).run(WEB)

    with pytest.raises(Conflict):
        Preempt(taking).run(SYSTEM)
    assert states(low, high) == ["succeeded", "queued"]

    Cancel(high.pk).run(SYSTEM)
    with pytest.raises(Conflict):
        Preempt(taking).run(SYSTEM)
    assert cluster.reserved("web-1") == 0.0
    assert not Placement.objects.filter(state="held").exists()


def test_room_that_was_taken_meanwhile_keeps_everybody_where_he_is(
    host: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger has the last word, and then nobody has left."""
    low = begun()
    submit(priority=5)
    PlaceWaiting().run(SYSTEM)
    (taking,) = takings()
    monkeypatch.setattr(ledger, "reserve", lambda host, demand: False)

    with pytest.raises(Conflict, match="no such room"):
        Preempt(taking).run(SYSTEM)

    assert states(low) == ["running"]
    assert cluster.reserved("web-1") == 8.0
    assert not Preemption.objects.exists()


def test_the_controller_makes_room_within_its_fence(host: Any) -> None:
    """It tells the waiting job first, then makes the room; a leader of yesterday makes none."""
    from console.controller.lease import Fenced

    candidate = Candidate("one")
    assert candidate.campaign(0.0)
    low = begun()
    high = submit(priority=5)

    with pytest.raises(Fenced):
        Queue().place(candidate.epoch - 1)
    assert Queue().place(candidate.epoch) == 1
    assert states(low, high) == ["queued", "placed"]


def test_workers_are_told_which_attempt_to_end(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the task: its next attempt has the same id."""
    told: list[Any] = []
    monkeypatch.setattr(WorkersBroker, "stop_attempt", lambda _, *which: told.append(which))
    low = begun()
    old = at(low)
    submit(priority=5)
    look()

    relay_outbox()

    assert told == [old]


def test_every_state_on_a_host_can_be_left() -> None:
    """As the table of jobs has it."""
    assert {JOB[state]["preempt"] for state in Job.ON_HOST} == {"queued"}


def test_both_pages_and_the_api_show_it(host: Any, client: Any, user: Any, api: Any) -> None:
    """With links to each other; the queue says how a tenant's priorities reach."""
    client.force_login(user("viewer"))
    low = begun()
    high = submit(priority=5)
    look()

    for_low = client.get(f"/jobs/{low.pk}/").content.decode()
    for_high = client.get(f"/jobs/{high.pk}/").content.decode()
    assert f"preempted by demo.add {str(high.pk)[:8]}" in for_low
    assert f'href="/jobs/{high.pk}/"' in for_low
    assert "Left for it" in for_high
    assert f'href="/jobs/{low.pk}/"' in for_high
    shown = api.viewer.get(f"/api/v1/jobs/{low.pk}/").json()
    assert (shown["preemptible"], shown["preemptions"], shown["preempted"][0]["by"]) == (
        True,
        1,
        str(high.pk),
    )
    assert api.viewer.get(f"/api/v1/jobs/{high.pk}/").json()["preempted_others"][0]["job"] == str(low.pk)
    decision = client.get(f"/decisions/{_decision(high)}/").content.decode()
    assert "What left for it" in decision
    SetTenant("default", preempts="others").run(SYSTEM)
    assert "takes the room of others" in client.get("/jobs/queue/").content.decode()
    assert api.viewer.get("/api/v1/tenants/default/").json()["preempts"] == "others"


def _decision(job: Job) -> Any:
    return Placement.objects.get(jobs=job).decision_id


def test_memory_that_a_running_body_uses_counts_as_freed(cluster: Any) -> None:
    """What is measured of what leaves is taken off, or nobody could ever be preempted for memory."""
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    cluster.add("web-1", used={"cpu": 1.0, "memory": 12 * GIB})
    low = Submit("demo.add", demand={"cpu": 1.0, "memory": 3 * GIB}, preemptible=True).run(SYSTEM)
    high = Submit("demo.add", demand={"cpu": 1.0, "memory": 6 * GIB}, priority=1).run(SYSTEM)

    assert look() == 1
    assert states(low, high) == ["queued", "placed"]
