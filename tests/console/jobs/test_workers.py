"""Who runs jobs: what agents tell of the workers that they watch, beside what the jobs say."""

from __future__ import annotations

import math
import time
from datetime import timedelta
from typing import Any

import pytest
import redis
from control_rig import agent
from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from agents.wire import LONGEST_WHY, Report, Worker
from console.actions import SYSTEM
from console.alerts.rules.work import HOLDS_S, WorkerEnds, WorkersStuck
from console.alerts.sight import Sight
from console.jobs.actions.attempt import Claim, Finish, mark_dispatched
from console.jobs.actions.place import PlaceWaiting
from console.jobs.actions.submit import Submit
from console.jobs.models import Job
from console.jobs.queue import STUCK_S
from console.jobs.workers import LATELY, AtWork, at_work
from console.live import feed
from console.live.ingest import take
from console.live.picture import SILENT_AFTER_S, Picture, picture
from console.live.ticks import decode_tick
from console.placements.models import Placement

RUNS = Worker(60.0, 4, 1, "")
ENDED = Worker(None, 0, 3, "exit code 1")


@pytest.fixture
def cluster(cluster: Any) -> Any:
    """With empty queues on the broker."""
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    return cluster


def tell(host: str, worker: Worker | None) -> None:
    assert picture.report(host, {"cpu": 0.0}, time.monotonic(), worker=worker)


def on(host: str, **more: Any) -> Job:
    """A job that is placed there."""
    return Submit("demo.add", args=[1, 2], demand={"cpu": 1.0}, labels={"name": host}, **more).run(SYSTEM)


def run(job: Job, host: str, succeeded: bool | None = None) -> None:
    """Begin it, and end it if it is said how."""
    job.refresh_from_db()
    assert Claim(str(job.pk), job.attempt).run(agent(host)) == ""
    if succeeded is not None:
        assert Finish(str(job.pk), job.attempt, succeeded=succeeded).run(agent(host)) == ""


def rows() -> dict[str, AtWork]:
    return {each.host: each for each in at_work(timezone.now(), time.monotonic())}


def test_a_report_tells_of_the_worker_and_other_processes_hear_of_it(cluster: Any) -> None:
    """A report without one takes it away, here and there; so does the word of an older agent, which never has one."""
    cluster.add("web-1")
    other = Picture()
    other.load()
    running = feed.Feed()
    for seq, worker in enumerate([RUNS, ENDED, None], 1):
        assert take(picture, "web-1", seq - 1, Report(seq, "web-1", {"cpu": 1.0}, worker=worker)) is None
        other.take_tick(decode_tick(running._encode(["web-1"])), time.monotonic())

        assert picture.worker("web-1") == other.worker("web-1") == worker
        assert other.workers() == ({"web-1": worker} if worker else {})
    assert picture.worker("nobody") is None


@pytest.mark.parametrize(
    ("worker", "field"),
    [
        (Worker(-1.0, 1, 1, ""), "running_s"),
        (Worker(math.nan, 1, 1, ""), "running_s"),
        (Worker(None, -1, 1, ""), "processes"),
        (Worker(None, 1, 10**13, ""), "starts"),
        (Worker(None, 1, 1, "x" * (LONGEST_WHY + 1)), "why"),
        (Worker(None, 1, 1, "a\0b"), "why"),
    ],
)
def test_what_cannot_be_is_refused_with_its_report(cluster: Any, worker: Worker, field: str) -> None:
    """Named by its place; what was known before stays."""
    cluster.add("web-1")
    tell("web-1", RUNS)

    refused = take(picture, "web-1", 1, Report(2, "web-1", {"cpu": 1.0}, worker=worker))
    assert refused is not None
    assert (refused.code, refused.field) == ("impossible", f"worker.{field}")
    assert picture.worker("web-1") == RUNS


def test_hosts_that_need_somebody_come_first(cluster: Any) -> None:
    """Stuck, ended, silent, well; one without jobs and without a worker is not there."""
    for name in ("a-well", "b-silent", "c-ended", "d-stuck", "e-none"):
        cluster.add(name, labels={"name": name})
    for name, worker in (("a-well", RUNS), ("b-silent", RUNS), ("c-ended", ENDED)):
        tell(name, worker)
    late = timezone.now() - timedelta(seconds=STUCK_S + 1)
    sent = on("d-stuck")
    mark_dispatched([(sent.pk, 1)])
    Job.objects.filter(pk=sent.pk).update(dispatched_at=late)
    later = time.monotonic() + SILENT_AFTER_S + 1
    for name in ("a-well", "c-ended", "d-stuck", "e-none"):
        assert picture.report(name, {"cpu": 0.0}, later, worker=picture.worker(name))

    found = at_work(timezone.now(), later + 1)
    assert [(each.host, each.state) for each in found] == [
        ("d-stuck", "stuck"), ("c-ended", "ended"), ("b-silent", "silent"), ("a-well", "well"),
    ]  # fmt: skip
    assert (found[0].watched, found[0].sent, found[0].running) == (None, 1, 0)
    assert found[0].since is not None


def test_somebody_is_told_of_workers_that_take_nothing_and_of_one_that_keeps_ending(cluster: Any) -> None:
    """Not of one that was started again once, nor of one that holds now; of a silent host nothing is known."""
    for name in ("a", "b", "c", "d"):
        cluster.add(name, labels={"name": name})
    tell("a", ENDED)
    tell("b", Worker(HOLDS_S + 1, 4, 7, "exit code 1"))
    tell("c", Worker(1.0, 4, 2, "exit code 1"))
    sent = on("d")
    mark_dispatched([(sent.pk, 1)])
    late = timezone.now() - timedelta(seconds=40)
    Job.objects.filter(pk=sent.pk).update(dispatched_at=late)
    Placement.objects.update(created_at=late)
    sight = Sight(picture, time.monotonic(), timezone.now())

    ends, stuck = WorkerEnds().find(sight, 3.0), WorkersStuck().find(sight, 30.0)
    assert {host: each.value for host, each in ends.found.items()} == {"a": 3.0}
    assert ends.found["a"].sentence == "The worker of a was started 3 times; the last one: exit code 1."
    assert list(stuck.found) == ["d"]
    assert stuck.found["d"].value == pytest.approx(40, abs=5)
    assert WorkersStuck().find(sight, 60.0).found == {}
    later = Sight(picture, time.monotonic() + SILENT_AFTER_S + 1, timezone.now())
    assert set(WorkerEnds().find(later, 3.0).unknown) == {"a", "b", "c", "d"}


def test_what_ended_lately_is_counted_where_it_ran(cluster: Any) -> None:
    """What failed and succeeded there, and what runs; what ended longer ago is not."""
    cluster.add("web-1", labels={"name": "web-1"})
    for succeeded in (True, True, False, None):
        run(on("web-1"), "web-1", succeeded)
    old = on("web-1")
    run(old, "web-1", True)
    Job.objects.filter(pk=old.pk).update(ended_at=timezone.now() - LATELY - timedelta(seconds=1))
    waiting = on("web-1")
    PlaceWaiting().run(SYSTEM)

    found = rows()["web-1"]
    assert (found.running, found.sent, found.succeeded, found.failed) == (1, 1, 2, 1)
    waiting.refresh_from_db()
    assert found.since == waiting.placement.created_at  # type: ignore[union-attr]


def test_the_page_and_the_api_say_the_same(cluster: Any, client: Any, user: Any, api: Any) -> None:
    """Why a worker is gone, how often it was started, and who it is; narrowed by name and state."""
    for name in ("web-1", "web-2"):
        cluster.add(name)
    running = Submit("demo.add", args=[1, 2], demand={"cpu": 1.0}).run(SYSTEM)
    running.refresh_from_db()
    assert running.placement is not None
    run(running, running.placement.host.name)
    tell("web-1", ENDED)
    tell("web-2", RUNS)
    client.force_login(user("viewer"))

    told = api.viewer.get("/api/v1/workers/").json()
    assert [(each["host"], each["state"]) for each in told] == [("web-1", "ended"), ("web-2", "well")]
    assert told[0]["watched"] == {"running_s": None, "processes": 0, "starts": 3, "why": "exit code 1"}
    page = client.get(reverse("workers")).content.decode()
    assert "exit code 1; started 3 times" in page
    assert "runs for 60 s" in page
    assert page.count(str(running.pk)) == 1
    only = client.get(reverse("workers"), {"state": "well", "host": "web"}).content.decode()
    assert "web-2" in only
    assert "exit code 1" not in only
