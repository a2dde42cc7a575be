"""Second copies of runs that take long: begun where allowed, the first end counts, and it counts once."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import redis
from console_racing import at_once
from control_rig import agent
from django.conf import settings
from django.utils import timezone

from agents.wire import JobEvent
from console.actions import SYSTEM
from console.events.models import Event, Outbox
from console.jobs.actions.attempt import Claim, Finish, Lose, Renew, Report, take_job_events
from console.jobs.actions.ending import Cancel
from console.jobs.actions.place import PlaceWaiting
from console.jobs.actions.reaping import lose_expired_leases
from console.jobs.actions.second_copy import LATE, due_copies, lost_copies
from console.jobs.actions.submit import Submit
from console.jobs.actions.tenants import SetTenant
from console.jobs.models import Job, SecondCopy, TaskProfile
from console.jobs.outbox import relay_outbox
from console.jobs.stopping import STOP_ATTEMPT
from console.placements import ledger

USUAL_S = 60.0


@pytest.fixture
def hosts(cluster: Any) -> Any:
    """Two hosts, empty queues on the broker, and a task of which 19 of 20 runs take less than a minute."""
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    for name in ("web-1", "web-2"):
        cluster.add(name)
    TaskProfile.objects.create(
        task="demo.add", demand={"cpu": 1.0}, runs=20, seconds=30.0, late_s=USUAL_S, learned_at=timezone.now()
    )
    return cluster


class Pair:
    """A job whose attempt 1 runs for long, and its copy: attempt 2."""

    def __init__(self, **more: Any) -> None:
        self.job = running(**more)
        assert self.job.placement is not None
        self.first = agent(self.job.placement.host.name)
        assert begin_copies() == 1
        self.copy = SecondCopy.objects.get(job=self.job)
        self.second = agent(self.copy.host)
        self.key = str(self.job.pk)

    def claimed(self) -> Pair:
        assert Claim(self.key, 2).run(self.second) == ""
        return self

    def now(self) -> tuple[str, int, str | None]:
        """(state, attempt, host) of the job."""
        job = Job.objects.select_related("placement__host").get(pk=self.job.pk)
        return job.state, job.attempt, job.placement and job.placement.host.name

    def outcome(self) -> str:
        return SecondCopy.objects.get(pk=self.copy.pk).outcome

    def stops(self) -> list[int]:
        return list(Outbox.objects.filter(topic=STOP_ATTEMPT).values_list("payload__attempt", flat=True))


def begin_copies() -> int:
    """What the controller does once a second. How many were begun."""
    return sum(copy.run(SYSTEM) is not None for copy in due_copies())


def lose_copies() -> int:
    """The same for what is given up."""
    return sum(lost.run(SYSTEM) == "" for lost in lost_copies())


def running(ran_s: float = LATE * USUAL_S + 1, **more: Any) -> Job:
    asked = {"demand": {"cpu": 1.0}, "second_copy": True, **more}
    job = Submit("demo.add", args=[1, 2], **asked).run(SYSTEM)
    assert job.placement is not None
    assert Claim(str(job.pk), 1).run(agent(job.placement.host.name)) == ""
    Job.objects.filter(pk=job.pk).update(started_at=timezone.now() - timedelta(seconds=ran_s))
    return job


def reserved(cluster: Any) -> list[float]:
    assert ledger.drift() == {}
    return sorted(cluster.reserved(name) for name in ("web-1", "web-2"))


def test_a_late_run_is_run_beside_itself_on_another_host(hosts: Any) -> None:
    """With a number, a placement, a decision and a message of its own, and why; once an attempt."""
    pair = Pair()

    assert pair.copy.host != pair.first.name
    assert "19 of 20 runs of demo.add took less than 60 s" in pair.copy.why
    assert pair.now() == ("running", 1, pair.first.name)
    assert reserved(hosts) == [1.0, 1.0]
    assert Event.objects.get(action="job.second-copy").reason == pair.copy.why
    assert relay_outbox() == 2  # the first one's, which is running, is passed over
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        assert client.llen(f"host.{pair.copy.host}") == 1
    assert begin_copies() == 0
    pair.claimed()
    assert Claim(pair.key, 2).run(pair.second) != ""
    assert Renew(pair.key, 2).run(pair.second) == ""
    assert Report(pair.key, 2, share=0.1).run(pair.second) == ""
    assert relay_outbox() == 0


@pytest.mark.parametrize(
    "more",
    [{"second_copy": False}, {"ran_s": LATE * USUAL_S - 1}, {"demand": {"cpu": 8.0}, "full": True}],
)
def test_no_copy_without_leave_before_its_time_or_without_room(hosts: Any, more: dict[str, Any]) -> None:
    """The other host may be full."""
    if more.pop("full", False):
        Submit("demo.add", demand={"cpu": 8.0}).run(SYSTEM)
    running(**more)

    assert begin_copies() == 0


def test_no_copy_of_the_unknown_while_others_wait_or_beyond_a_quota(hosts: Any) -> None:
    """Copies are for room that nobody wants."""
    running()
    waiting = Submit("demo.add", demand={"cpu": 8.0}).run(SYSTEM)
    blocker = Submit("demo.add", demand={"cpu": 8.0}).run(SYSTEM)
    assert blocker.state == "queued"
    assert begin_copies() == 0
    for job in (waiting, blocker):
        Cancel(job.pk).run(SYSTEM)
    SetTenant("default", quota={"cpu": 1.0}).run(SYSTEM)
    assert begin_copies() == 0
    SetTenant("default").run(SYSTEM)
    TaskProfile.objects.update(late_s=0.0)
    assert begin_copies() == 0
    TaskProfile.objects.update(late_s=USUAL_S)
    assert begin_copies() == 1


def test_the_copy_that_ends_first_is_the_jobs_end(hosts: Any) -> None:
    """The first is stopped, its end is refused, and both hosts have their room again."""
    pair = Pair().claimed()

    assert Finish(pair.key, 2, result="copy").run(pair.second) == ""
    assert Finish(pair.key, 1, result="first").run(pair.first) != ""
    assert Finish(pair.key, 2, result="copy").run(pair.second) == ""  # said twice

    job = Job.objects.get(pk=pair.job.pk)
    assert (job.state, job.result, pair.now()[1:]) == ("succeeded", "copy", (2, pair.copy.host))
    assert pair.stops() == [1]
    assert pair.outcome() == "It ended first; attempt 1 was stopped."
    assert reserved(hosts) == [0.0, 0.0]
    assert Event.objects.filter(action="job.finish").count() == 1


def test_the_first_that_ends_first_ends_the_copy(hosts: Any) -> None:
    """Begun or not: its claim and its end are refused."""
    pair = Pair().claimed()

    assert Finish(pair.key, 1, result="first").run(pair.first) == ""
    assert Finish(pair.key, 2, result="copy").run(pair.second) != ""
    assert Renew(pair.key, 2).run(pair.second) != ""

    assert Job.objects.get(pk=pair.job.pk).result == "first"
    assert pair.stops() == [2]
    assert pair.outcome() == "Attempt 1 ended first; the copy was stopped."
    assert reserved(hosts) == [0.0, 0.0]
    other = Pair()
    assert Finish(other.key, 1).run(other.first) == ""
    assert Claim(other.key, 2).run(other.second) != ""
    assert other.stops() == [2]  # what had not begun needs none
    assert reserved(hosts) == [0.0, 0.0]


@pytest.mark.parametrize("together", [False, True])
def test_of_two_ends_at_the_same_moment_one_counts(hosts: Any, together: bool) -> None:
    """From two threads, and in one transaction; said several times; again and again."""
    for number in range(8):
        pair = Pair().claimed()
        said = [(pair.first, 1), (pair.second, 2)] if number % 2 else [(pair.second, 2), (pair.first, 1)]
        if together:
            events = [
                (who, JobEvent(1, pair.key, attempt, "succeeded", result=attempt))
                for who, attempt in said * 2
            ]
            answers = take_job_events(events)
        else:
            steps = [partial(Finish(pair.key, attempt, result=attempt).run, who) for who, attempt in said * 2]
            answers = list(at_once(*steps))

        job = Job.objects.get(pk=pair.job.pk)
        accepted = {attempt for (_, attempt), answer in zip(said * 2, answers, strict=True) if answer == ""}
        assert accepted == {job.result} == {job.attempt}
        assert job.state == "succeeded"
        assert pair.stops()[-1:] == [3 - job.attempt]
        assert Event.objects.filter(action="job.finish", subject=pair.key).count() == 1
        assert reserved(hosts) == [0.0, 0.0]


def test_when_the_first_is_lost_its_copy_goes_on(hosts: Any) -> None:
    """It becomes the job's attempt, and its number is the last; one that has not begun ends with the first."""
    pair = Pair().claimed()
    Job.objects.filter(pk=pair.job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))

    assert lose_expired_leases() == 1
    assert pair.now() == ("running", 2, pair.copy.host)
    assert pair.outcome() == "It goes on alone: attempt 1 was lost."
    assert reserved(hosts) == [0.0, 1.0]
    assert Finish(pair.key, 1).run(pair.first) != ""
    assert Renew(pair.key, 2).run(pair.second) == ""
    assert Finish(pair.key, 2, result=3).run(pair.second) == ""

    other = Pair()
    assert Lose(other.key, 1, why="killed").run(other.first) == ""
    assert other.now()[0] == "queued"
    assert reserved(hosts) == [0.0, 0.0]
    Job.objects.update(not_before=None)
    PlaceWaiting().run(SYSTEM)
    assert other.now()[1] == 3  # the copy's number is not given again
    assert Claim(other.key, 2).run(other.second) != ""


def test_a_lost_copy_leaves_the_first_alone(hosts: Any) -> None:
    """Lost by its worker, not heard of, or never begun; and no other is begun for this attempt."""
    for claims, change in ((True, {"lease_until": -1.0}), (False, {"created_at": -11.0})):
        pair = Pair()
        if claims:
            pair.claimed()
        assert lose_copies() == 0
        moments = {name: timezone.now() + timedelta(seconds=s) for name, s in change.items()}
        SecondCopy.objects.filter(pk=pair.copy.pk).update(**moments)
        assert lose_copies() == 1
        assert pair.now() == ("running", 1, pair.first.name)
        assert pair.outcome().startswith("It was lost: ")
        assert (lose_copies(), begin_copies()) == (0, 0)
        assert Finish(pair.key, 1).run(pair.first) == ""
        assert pair.stops() == [2]  # of the one that had begun: its worker may only be unheard
        assert reserved(hosts) == [0.0, 0.0]


def test_a_failure_is_an_end_too(hosts: Any) -> None:
    """Whichever fails first ends both; tried again, it has a number of its own and may be copied again."""
    pair = Pair(tries=2, backoff_s=0.0).claimed()

    assert Finish(pair.key, 2, succeeded=False, error="no").run(pair.second) == ""
    PlaceWaiting().run(SYSTEM)

    assert pair.now()[:2] == ("placed", 3)
    assert Job.objects.get(pk=pair.job.pk).failures == 1
    assert Finish(pair.key, 1).run(pair.first) != ""


def test_cancelling_ends_both(hosts: Any) -> None:
    """And gives both hosts their room."""
    pair = Pair().claimed()
    Cancel(pair.job.pk).run(SYSTEM)

    assert reserved(hosts) == [0.0, 0.0]
    assert Finish(pair.key, 2).run(pair.second) != ""
    assert pair.outcome() == "The job was ended; the copy was stopped."


def test_only_the_copys_own_host_speaks_of_it(hosts: Any) -> None:
    """Not the first one's, not of a later number."""
    pair = Pair().claimed()
    for act in (Renew, Finish, Lose):
        assert act(pair.key, 2).run(pair.first) != ""
        assert act(pair.key, 1).run(pair.second) != ""
        assert act(pair.key, 3).run(pair.second) != ""
    assert pair.now()[0] == "running"


def test_the_page_and_the_api_show_both(hosts: Any, client: Any, user: Any, api: Any) -> None:
    """With why, and what became of it."""
    client.force_login(user("viewer"))
    pair = Pair().claimed()
    Finish(pair.key, 2).run(pair.second)

    page = client.get(f"/jobs/{pair.key}/").content.decode()
    assert page.count("second copy") >= 1
    assert "It ended first; attempt 1 was stopped." in page
    assert f"on {pair.first.name}; 19 of 20 runs" in page
    (shown,) = api.viewer.get(f"/api/v1/jobs/{pair.key}/").json()["copies"]
    assert (shown["attempt"], shown["host"]) == (2, pair.copy.host)
    assert api.viewer.get("/api/v1/task-profiles/").json()[0]["late_s"] == USUAL_S
