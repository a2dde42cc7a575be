"""A job's life on the control plane's side: kept, placed, told to its worker, claimed, ended or lost."""

from __future__ import annotations

import time
import uuid
from datetime import timedelta
from typing import Any

import pytest
from attempts_rig import at, place_now, state, submit
from console_racing import at_once
from control_rig import agent
from django.utils import timezone

from agents.wire import JobEvent
from balancer_core.placement import InvalidLoad
from console.actions import SYSTEM, Conflict, Invalid
from console.alerts.rules.work import JobSetAside
from console.alerts.sight import Sight
from console.events.models import Event, Outbox
from console.jobs.actions.attempt import MOST_LOG, Claim, Finish, Lose, Renew, take_job_events
from console.jobs.actions.ending import Cancel, LetGo
from console.jobs.actions.place import PlaceWaiting
from console.jobs.actions.reaping import Expire, expire_overdue, lose_expired_leases
from console.jobs.actions.submit import Submit
from console.jobs.models import Job
from console.jobs.retries import MOST_LOSSES
from console.live.picture import picture
from console.placements import ledger

HOST = agent("web-1")


def test_a_job_is_kept_placed_and_its_message_owed(host: Any, cluster: Any) -> None:
    """With its reservation and the outbox row of its first attempt."""
    job = submit()

    assert (job.state, job.attempt, job.placement.host.name) == ("placed", 1, "web-1")
    assert [{"job": str(job.pk), "attempt": 1}] == list(Outbox.objects.values_list("payload", flat=True))
    assert cluster.reserved("web-1") == 1.0


def test_placing_and_owing_are_one_transaction(
    host: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the message can't be owed, the job is not placed and nothing is reserved; it waits."""

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("as if killed here")

    # What it writes last, after the message is owed.
    monkeypatch.setattr(PlaceWaiting, "line", fail)
    with pytest.raises(RuntimeError):
        submit()

    assert list(Job.objects.values_list("state", flat=True)) == ["queued"]
    assert not Outbox.objects.exists()
    assert cluster.reserved("web-1") == 0.0
    assert ledger.drift() == {}


def test_a_job_waits_for_room_and_says_for_what(host: Any, cluster: Any) -> None:
    """One kept refusal however often it is tried; placed when room appears."""
    from console.placements.models import Decision

    first = submit()
    waiting = Submit("demo.add", demand={"cpu": 7.5}).run(SYSTEM)
    assert PlaceWaiting().run(SYSTEM).placed == []
    assert (state(waiting), Decision.objects.filter(outcome="refused").count()) == ("queued", 1)
    assert "web-1" in waiting.waiting_for or "cpu" in waiting.waiting_for

    Cancel(first.pk).run(SYSTEM)
    PlaceWaiting().run(SYSTEM)

    assert state(waiting) == "placed"
    assert cluster.reserved("web-1") == 7.5


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"task": "no task!"}, "task"), ({"task": "t" * 151}, "task"), ({"tries": 0}, "tries"),
        ({"demand": {"warp": 1.0}}, "demand.warp"), ({"demand": {"cpu": float("nan")}}, "demand.cpu"),
        ({"policy": "best"}, "policy"), ({"labels": {"a b": "c"}}, "labels"),
        ({"message": {"body": {}}}, "message.body"), ({"message": {"headers": []}}, "message.headers"),
        ({"args": [float("nan")]}, "args"), ({"kwargs": {"a": "\0"}}, "kwargs"),
    ],
)  # fmt: skip
def test_an_invalid_job_is_not_kept(host: Any, change: dict[str, Any], field: str) -> None:
    """An unknown resource too: kept, it would wait for ever."""
    with pytest.raises((Invalid, InvalidLoad)) as refusal:
        Submit(**{"task": "demo.add", "demand": {"cpu": 1.0}, **change}).run(SYSTEM)

    assert field == refusal.value.field
    assert not Job.objects.exists()


def test_an_attempt_is_claimed_once_and_ends_once(host: Any, cluster: Any) -> None:
    """Claimed at once by many workers it starts once; said twice it has ended once; the room is free
    again."""
    job = submit()

    assert [True, *[False] * 5] == sorted(
        (r == "" for r in at_once(*[lambda: Claim(*at(job)).run(HOST)] * 6)), reverse=True
    )
    assert Renew(*at(job)).run(HOST) == ""
    assert {""} == set(at_once(*[lambda: Finish(*at(job), result=3).run(HOST)] * 4))

    job.refresh_from_db()
    assert (job.state, job.result, job.lease_until) == ("succeeded", 3, None)
    assert Event.objects.filter(action="job.finish").count() == 1
    assert cluster.reserved("web-1") == 0.0
    assert Finish(*at(job), succeeded=False).run(HOST) != ""
    assert Renew(*at(job)).run(HOST) != ""


def test_only_the_attempts_own_host_speaks_of_it(host: Any, cluster: Any) -> None:
    """Not another host, not of an older or later attempt, not of a job that is none."""
    cluster.add("web-2", cpu=0.5)
    job = submit()
    key, attempt = at(job)

    for act in (Claim, Renew, Finish, Lose):
        assert act(key, attempt).run(agent("web-2")) != ""
        assert act(key, attempt + 1).run(HOST) != ""
        assert act(str(uuid.uuid4()), attempt).run(HOST) != ""
        assert act("no uuid", attempt).run(HOST) != ""

    assert state(job) == "placed"


def test_a_late_finisher_of_a_lost_attempt_is_refused(host: Any) -> None:
    """Its lease ran out, the job went on as another attempt: the old one's result does not count."""
    job = submit()
    old = at(job)
    Claim(*old).run(HOST)
    Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    assert lose_expired_leases() == 1
    assert PlaceWaiting().run(SYSTEM).placed == []  # it waits a moment: it may have been its doing
    place_now()

    assert (state(job), at(job)[1]) == ("placed", 2)
    assert Finish(*old, result="late").run(HOST) != ""
    assert lose_expired_leases() == 0
    assert ledger.drift() == {}


def test_a_job_that_takes_its_workers_with_it_is_set_aside(host: Any, cluster: Any) -> None:
    """It says why, holds nothing, runs no more until somebody lets it go, and others are not held up."""
    job = submit()
    for _ in range(MOST_LOSSES):
        assert Claim(*at(job)).run(HOST) == ""
        assert Lose(*at(job), why="killed").run(HOST) == ""
        place_now()

    job.refresh_from_db()
    assert (job.state, job.losses) == ("set_aside", MOST_LOSSES)
    assert f"lost {MOST_LOSSES} times, last: killed" in job.error
    assert cluster.reserved("web-1") == 0.0
    assert submit().state == "placed"
    sight = Sight(picture, time.monotonic(), timezone.now())
    assert {str(job.pk): float(MOST_LOSSES)} == {
        subject: found.value for subject, found in JobSetAside().find(sight, 1.0).found.items()
    }

    LetGo(job.pk, reason="its memory was raised").run(SYSTEM)
    place_now()

    job.refresh_from_db()
    assert (job.state, job.losses) == ("placed", 0)
    with pytest.raises(Conflict):
        LetGo(job.pk).run(SYSTEM)


def test_an_attempt_that_never_began_is_nobodys_fault(host: Any) -> None:
    """Lost before it was claimed, or by the end of a drain, it is queued again at once and counts as no loss."""
    job = submit()
    Lose(*at(job), why="the host was lost").run(SYSTEM)
    PlaceWaiting().run(SYSTEM)
    Claim(*at(job)).run(HOST)
    Lose(*at(job), why="drained", fault=False).run(SYSTEM)

    job.refresh_from_db()
    assert (job.state, job.losses, job.not_before) == ("queued", 0, None)


def test_a_job_that_fails_is_tried_again_as_often_as_it_may(host: Any, cluster: Any) -> None:
    """It waits longer each time, keeps the last error to read, and fails at the last try."""
    job = submit(tries=3, backoff_s=10.0)
    waits = []
    for number in range(3):
        Claim(*at(job)).run(HOST)
        assert Finish(*at(job), succeeded=False, error=f"no {number}").run(HOST) == ""
        job.refresh_from_db()
        assert job.error == f"no {number}"
        if job.not_before:
            waits.append((job.not_before - timezone.now()).total_seconds())
            assert cluster.reserved("web-1") == 0.0
        place_now()

    assert (job.state, job.failures, job.attempt) == ("failed", 3, 3)
    assert 4.0 < waits[0] <= 10.0
    assert 9.0 < waits[1] <= 20.0


def test_a_deadline_ends_what_waits_and_what_runs(host: Any, cluster: Any) -> None:
    """The worker of the one that runs is told to stop; one that has ended, or has time, stays as it is."""
    soon = timezone.now() + timedelta(minutes=5)
    running, waiting = (
        submit(deadline=soon),
        Submit("demo.add", demand={"cpu": 7.5}, deadline=soon).run(SYSTEM),
    )
    Claim(*at(running)).run(HOST)
    assert expire_overdue() == 0
    assert Expire(running.pk).run(SYSTEM) is False
    Job.objects.update(deadline=timezone.now() - timedelta(seconds=1))

    assert expire_overdue() == 2
    assert expire_overdue() == 0
    assert [state(running), state(waiting)] == ["failed", "failed"]
    assert "deadline passed while it was running" in Job.objects.get(pk=running.pk).error
    assert list(Outbox.objects.filter(topic="job.stop").values_list("payload__job", flat=True)) == [
        str(running.pk)
    ]
    assert Finish(*at(running)).run(HOST) != ""
    assert cluster.reserved("web-1") == 0.0


def test_a_job_says_how_far_it_is_and_what_it_logged(host: Any, api: Any) -> None:
    """Only while it runs; the log keeps its end, the share stays within its bounds, a new attempt begins anew."""
    job = submit()
    early = JobEvent(1, *at(job), event="report", share=0.5)
    assert take_job_events([(HOST, early)]) == ["this attempt is no longer this host's"]
    Claim(*at(job)).run(HOST)
    for share, note, lines in (
        (0.5, "half", "first\n"),
        (7.0, "n\0ote", "x" * MOST_LOG),
        (None, "", "last\n"),
    ):
        said = JobEvent(2, *at(job), event="report", share=share, note=note, lines=lines)
        assert take_job_events([(HOST, said)]) == [""]

    job.refresh_from_db()
    assert (job.progress, job.note) == (1.0, "note")
    log = api.viewer.get(f"/api/v1/jobs/{job.pk}/log/").json()["text"]
    assert (len(log), log[:1], log[-6:]) == (MOST_LOG, "x", "xlast\n")
    assert api.viewer.get(f"/api/v1/jobs/{submit().pk}/log/").json() == {"text": ""}
    Lose(*at(job)).run(HOST)
    place_now()
    Claim(*at(job)).run(HOST)
    job.refresh_from_db()
    assert (job.progress, job.note) == (None, "")


def test_a_cancelled_job_frees_its_room_and_its_worker_ends_in_vain(host: Any, cluster: Any) -> None:
    """Cancelling twice is a conflict."""
    job = submit()
    Claim(*at(job)).run(HOST)

    Cancel(job.pk, reason="not needed").run(SYSTEM)

    assert cluster.reserved("web-1") == 0.0
    assert Finish(*at(job)).run(HOST) != ""
    with pytest.raises(Conflict):
        Cancel(job.pk).run(SYSTEM)


@pytest.mark.parametrize("result", [float("inf"), b"bytes", "\0", {"deep": [float("nan")]}])
def test_a_result_that_cannot_be_kept_ends_the_job_all_the_same(host: Any, result: Any) -> None:
    """Refusing it would only run the job again."""
    job = submit()
    said = JobEvent(2, *at(job), event="succeeded", result=result, error="x\0")

    assert take_job_events([(HOST, JobEvent(1, *at(job), event="claim")), (HOST, said)]) == ["", ""]

    job.refresh_from_db()
    assert (job.state, job.result) == ("succeeded", None)
    assert "not kept" in job.error


def test_what_agents_say_together_is_answered_to_each(host: Any, cluster: Any) -> None:
    """In one transaction, in their order: a claim said twice counts once, another host's does not, nor what is none."""
    cluster.add("web-2", cpu=0.5)
    one, two = submit(), submit()
    said = [
        (HOST, JobEvent(1, *at(one), event="claim")),
        (HOST, JobEvent(2, *at(one), event="claim")),
        (agent("web-2"), JobEvent(3, *at(two), event="claim")),
        (HOST, JobEvent(4, *at(one), event="succeeded", result=3)),
        (HOST, JobEvent(5, *at(one), event="failed", error="late")),
        (HOST, JobEvent(6, *at(two), event="claim")),
        (HOST, JobEvent(7, *at(two), event="dance")),
        (HOST, JobEvent(8, "no uuid", 1, event="renew")),
    ]

    answers = take_job_events(said)

    not_here = "this attempt is not this host's"
    assert answers == [
        "", "this job is running", not_here, "", "this job is succeeded", "", "no such event: 'dance'", not_here,
    ]  # fmt: skip
    assert (state(one), state(two), Job.objects.get(pk=one.pk).result) == ("succeeded", "running", 3)
    assert Event.objects.filter(action="job.finish").count() == 1
    assert cluster.reserved("web-1") == 1.0
    assert ledger.drift() == {}


def test_what_cannot_be_written_holds_up_no_other(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is taken by itself then: the others are answered, it hears what went wrong, and its job goes on."""
    one, two = submit(), submit()
    take_job_events([(HOST, JobEvent(1, *at(each), event="claim")) for each in (one, two)])
    succeed = Finish._succeed

    def fail(self: Finish, job: Job) -> None:
        if job.pk == two.pk:
            raise OverflowError("a defect")
        succeed(self, job)

    with monkeypatch.context() as patch:
        patch.setattr(Finish, "_succeed", fail)
        answers = take_job_events([(HOST, JobEvent(2, *at(each), event="succeeded")) for each in (one, two)])

    assert answers[0] == ""
    assert isinstance(answers[1], OverflowError)
    assert (state(one), state(two)) == ("succeeded", "running")
    assert ledger.drift() == {}


def test_jobs_that_come_at_once_are_kept_each_by_itself(host: Any) -> None:
    """One that can't be is refused to who handed it in, and the others are kept and placed."""
    good, bad = (lambda: submit()), (lambda: Submit("demo.add", demand={"warp": 1.0}).run(SYSTEM))

    answers = at_once(good, bad, good, bad, good)

    assert ["placed"] * 3 == [state(answers[number]) for number in (0, 2, 4)]
    assert all(isinstance(answers[number], InvalidLoad) for number in (1, 3))
    assert Job.objects.count() == Event.objects.filter(action="job.submit").count() == 3


def test_the_key_of_a_job_is_its_own(host: Any) -> None:
    """The same key gives the same job, at once too; another job under it is a conflict."""
    first = submit(request_key="k")

    assert {first.pk} == {
        getattr(each, "pk", each) for each in at_once(*[lambda: submit(request_key="k")] * 3)
    }
    with pytest.raises(Conflict):
        Submit("demo.other", demand={"cpu": 1.0}, request_key="k").run(SYSTEM)


def test_jobs_over_rest(host: Any, api: Any) -> None:
    """Handed in, listed, shown, cancelled; a job that is none is 404."""
    body = {"task": "demo.add", "args": [1], "demand": {"cpu": 1}}

    made = api.operator.post("/api/v1/jobs/", body)

    assert (made.status_code, made.json()["state"], made.json()["host"]) == (201, "placed", "web-1")
    assert [made.json()["id"]] == [
        each["id"] for each in api.viewer.get("/api/v1/jobs/", {"state": "placed"}).json()["results"]
    ]
    url = f"/api/v1/jobs/{made.json()['id']}/"
    assert api.operator.post(f"{url}cancel/").json()["state"] == "cancelled"
    assert api.operator.post(f"{url}cancel/").status_code == 409
    assert api.viewer.get(f"/api/v1/jobs/{uuid.uuid4()}/").status_code == 404
    assert api.operator.post("/api/v1/jobs/", {**body, "demand": {"warp": 1}}).status_code == 400
