"""Schedules hand a job in once at each of their moments, and once for all that were missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from control_rig import agent
from django.conf import settings
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as tried
from hypothesis import strategies as st

from console.actions import SYSTEM, Invalid
from console.events.models import Event
from console.jobs.actions.attempt import Claim, Finish
from console.jobs.actions.schedules import PutSchedule, RemoveSchedule, hand_in_due, next_after
from console.jobs.learning import LEAST_RUNS, first_guess, learn, profile
from console.jobs.models import Job, Schedule, TaskProfile
from console.jobs.retries import LONGEST_S, wait_s

#: Without a clock.
on_busy_machines = tried(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])

REQUEST = {"task": "demo.add", "demand": {"cpu": 1.0}, "args": [1, 2]}


@pytest.fixture
def cluster(cluster: Any) -> Any:
    """With empty queues on the broker."""
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    return cluster


def missed(name: str, seconds: float) -> None:
    """As if the schedule's moment had come so long ago."""
    Schedule.objects.filter(pk=name).update(next_at=timezone.now() - timedelta(seconds=seconds))


def test_a_schedule_hands_in_once_a_moment(cluster: Any) -> None:
    """Not before it, not twice; the next moment is the expression's, and the job says whose it is."""
    cluster.add("web-1")
    PutSchedule("nightly", "0 3 * * *", REQUEST).run(SYSTEM)
    assert hand_in_due() == 0
    missed("nightly", 5)

    assert (hand_in_due(), hand_in_due()) == (1, 0)
    job, schedule = Job.objects.get(), Schedule.objects.get()
    assert (job.task, job.args, job.schedule) == ("demo.add", [1, 2], "nightly")
    assert (schedule.next_at.hour, schedule.next_at.minute, schedule.last_job) == (3, 0, job.pk)
    RemoveSchedule("nightly").run(SYSTEM)
    assert not Schedule.objects.exists()


def test_what_was_missed_is_made_up_once_or_not(cluster: Any) -> None:
    """Three missed nights are one run; none where it does not catch up."""
    for name, catches_up in (("one", True), ("none", False)):
        PutSchedule(name, "0 3 * * *", REQUEST, catches_up=catches_up).run(SYSTEM)
        missed(name, 3 * 86_400)

    assert hand_in_due() == 1
    assert list(Job.objects.values_list("schedule", flat=True)) == ["one"]
    assert "does not catch up" in Event.objects.filter(action="schedule.hand-in", subject="none").get().reason
    assert hand_in_due() == 0


def test_runs_overlap_only_where_they_may(cluster: Any) -> None:
    """The next is left out while the last has not ended, and says so."""
    cluster.add("web-1")
    PutSchedule("slow", "* * * * *", REQUEST).run(SYSTEM)
    missed("slow", 1)
    assert hand_in_due() == 1
    missed("slow", 1)
    assert hand_in_due() == 0
    assert "do not overlap" in Event.objects.get(action="schedule.hand-in", subject="slow").reason
    PutSchedule("slow", "* * * * *", REQUEST, overlaps=True).run(SYSTEM)
    missed("slow", 1)
    assert hand_in_due() == 1


def test_a_schedule_whose_job_cannot_be_is_paused(cluster: Any) -> None:
    """It does not fail every second for ever, and the reason stands in the events."""
    PutSchedule("broken", "* * * * *", REQUEST).run(SYSTEM)
    Schedule.objects.update(request={**REQUEST, "tenant": "No Such"})
    missed("broken", 1)

    assert (hand_in_due(), hand_in_due()) == (0, 0)
    assert Schedule.objects.get().paused
    assert "tenant" in Event.objects.get(action="schedule.pause").reason


@pytest.mark.parametrize(
    ("name", "cron", "request_", "field"),
    [
        ("a b", "* * * * *", REQUEST, "name"), ("a", "* * * *", REQUEST, "cron"),
        ("a", "61 * * * *", REQUEST, "cron"), ("a", "0 0 30 2 *", REQUEST, "cron"),
        ("a", "* * * * *", {"task": "no task!"}, "task"), ("a", "* * * * *", {"colour": 1}, "request.colour"),
    ],
)  # fmt: skip
def test_a_schedule_that_cannot_be_is_refused(
    cluster: Any, name: str, cron: str, request_: dict[str, Any], field: str
) -> None:
    """With the field that is wrong; nothing is kept."""
    cluster.add("web-1")
    with pytest.raises(Invalid) as refusal:
        PutSchedule(name, cron, request_).run(SYSTEM)

    assert refusal.value.field == field
    assert not Schedule.objects.exists()


def test_the_next_moment_is_after_the_present_one() -> None:
    """Also of one that is due this very minute."""
    at = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)
    assert next_after("59 23 * * *", at) == at + timedelta(days=1)
    assert next_after("*/5 * * * *", at) == at + timedelta(minutes=1)


def test_needs_are_learned_from_runs(cluster: Any) -> None:
    """A task that nobody saw is given a first guess; after some runs, what nearly all of them stayed below."""
    cluster.add("web-1")
    from console.jobs.actions.submit import Submit

    host = agent("web-1")
    for number in range(LEAST_RUNS):
        assert learn() == 0
        job = Submit("demo.learned").run(SYSTEM)
        assert job.demand == first_guess() == {"cpu": 1.0}
        Claim(str(job.pk), 1).run(host)
        used = {"cpu": 0.5, "memory": 1000.0 * (number + 1), "seconds": 2.0, "disk_io": 0.0}
        Finish(str(job.pk), 1, used=used).run(host)

    assert (learn(), learn()) == (1, 0)
    learned = TaskProfile.objects.get()
    assert (learned.runs, learned.seconds) == (LEAST_RUNS, 2.0)
    assert learned.demand == {"cpu": pytest.approx(0.55), "memory": pytest.approx(1000.0 * LEAST_RUNS * 1.1)}
    assert Submit("demo.learned").run(SYSTEM).demand == learned.demand
    assert Submit("demo.learned", demand={"cpu": 2.0}).run(SYSTEM).demand == {"cpu": 2.0}


@pytest.mark.parametrize(
    "used", [{"cpu": float("nan")}, {"cpu": -1.0}, {"cpu": float("inf")}, {"n" * 40: 1.0}, {}]
)
def test_what_cannot_have_been_used_is_not_believed(cluster: Any, used: dict[str, float]) -> None:
    """The job has succeeded all the same."""
    cluster.add("web-1")
    from console.jobs.actions.submit import Submit

    job = Submit("demo.learned").run(SYSTEM)
    Claim(str(job.pk), 1).run(agent("web-1"))
    assert Finish(str(job.pk), 1, used=used).run(agent("web-1")) == ""
    job.refresh_from_db()
    assert (job.state, job.used) == ("succeeded", None)


@on_busy_machines
@given(st.lists(st.floats(0, 1e12), min_size=LEAST_RUNS, max_size=100))
def test_a_profile_holds_for_nearly_all_runs(amounts: list[float]) -> None:
    """At most one in twenty used more, and it is never more than a margin above the largest."""
    found = profile([{"memory": amount, "seconds": 1.0} for amount in amounts])
    assert found is not None
    given_ = found[0].get("memory", 0.0)
    assert sum(amount > max(given_, 1e-6) for amount in amounts) <= len(amounts) * 0.05
    assert given_ <= max(amounts) * 1.1 + 1e-6


@on_busy_machines
@given(st.floats(0, 86_400), st.integers(0, 1000), st.floats(0, 1))
def test_a_wait_is_bounded_and_grows(base: float, times: int, draw: float) -> None:
    """Between half and all of the doubled wait, never longer than the longest of both bounds, never shorter than
    the one before with the same draw."""
    wait = wait_s(base, times, draw)
    assert 0.0 <= wait <= max(LONGEST_S, base)
    assert times == 0 or wait >= base / 2
    assert wait_s(base, times + 1, draw) >= wait
