"""A long queue costs no more than a short one: what is asked of it goes by an index, in a bounded number of steps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.utils import timezone

from console.actions import SYSTEM
from console.jobs import queue
from console.jobs.actions.place import PlaceWaiting
from console.jobs.actions.reaping import expire_overdue, lose_expired_leases, take_back_unbegun
from console.jobs.actions.submit import Submit
from console.jobs.models import Job
from console.live.picture import picture
from console.placements import ledger

MANY = 20_000
TENANTS = 4


@pytest.fixture(scope="module")
def waiting(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """A table with many jobs that wait: of several tenants, priorities, deadlines. Each test copies it, which takes the
    database a part of the time that Django takes to make them."""
    now, name = timezone.now(), "jobs_that_wait"
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        Job.objects.bulk_create(
            Job(
                task="demo.add",
                demand={"cpu": 1.0},
                tenant=f"tenant-{number % TENANTS}",
                priority=number % 3,
                deadline=now + timedelta(days=1, seconds=number) if number % 5 == 0 else None,
                not_before=now + timedelta(days=1) if number % 7 == 0 else None,
            )
            for number in range(MANY)
        )
        cursor.execute(f"CREATE TABLE {name} AS SELECT * FROM jobs_job")
        cursor.execute("DELETE FROM jobs_job")
    yield name
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {name}")
    connection.close()


@pytest.fixture
def backlog(waiting: str, cluster: Any) -> Any:
    """One host of eight cores, and the jobs that wait."""
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    cluster.add("web-1")
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO jobs_job SELECT * FROM {waiting}")
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE jobs_job")
    return cluster


@contextmanager
def asked() -> Iterator[list[tuple[str, Any]]]:
    """The statements that reach the database meanwhile, with what they are given."""
    found: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        found.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield found


def plan(sql: str, params: Any) -> str:
    """How the database answers a statement, in its own words."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {'QUERY PLAN ' if connection.vendor == 'sqlite' else ''}{sql}", params)
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


def walks_all(said: str) -> bool:
    """Whether a plan reads all jobs, or puts them in order. PostgreSQL may sort a few rows, and where nearly all wait
    it takes the first it meets."""
    if connection.vendor == "sqlite":
        return "SCAN jobs_job" in said or "ORDER BY" in said
    if "Seq Scan on jobs_job" in said:
        return "Sort" in said or not said.startswith("Limit")
    return any(int(rows) > MANY / 20 for rows in re.findall(r"Sort +\(cost=\S+ rows=(\d+)", said))


def test_whose_turn_it_is_is_read_along_the_index(backlog: Any) -> None:
    """At the beginning and further on, for all tenants in few questions, in the order of the whole queue."""
    with asked() as statements:
        names, _ = queue.whose_turn(picture.view()[0], {})
        first = queue.line(names, timezone.now(), 100)
        later = queue.line(names, timezone.now(), 100, queue.Further(1000)).jobs

    assert len(statements) <= 5
    for sql, params in statements:
        assert "job_line" in plan(sql, params)
        assert not walks_all(plan(sql, params))
    assert first.further.jobs == 25
    own = queue.ready(timezone.now()).filter(tenant="tenant-1")
    ordered = list(own.order_by("-priority", "deadline", "created_at", "pk").exclude(deadline=None))[:25]
    assert [job.pk for job in ordered] == [job.pk for job in first.jobs["tenant-1"]]
    assert [50] * TENANTS == [len(later[tenant]) for tenant in sorted(later)]


def test_a_pass_asks_a_bounded_number_of_questions(backlog: Any) -> None:
    """However many wait, and none of them walks the queue; what is placed is what has room."""
    with asked() as statements:
        one = PlaceWaiting(says=False).run(SYSTEM)

    assert len(one.placed) == 8
    assert ledger.drift() == {}
    assert len(statements) <= 25
    for sql, params in statements:
        if sql.startswith(("SELECT", "WITH")):
            assert not walks_all(plan(sql, params)), sql


def test_who_comes_to_a_long_queue_is_kept_at_once(backlog: Any) -> None:
    """Handing in looks at no more of the queue than whether somebody waits."""
    with asked() as statements:
        assert Submit("demo.add", demand={"cpu": 1.0}, tenant="late").run(SYSTEM).state == "queued"

    assert len(statements) <= 10
    for sql, params in statements:
        if sql.startswith("SELECT"):
            assert not walks_all(plan(sql, params)), sql


def test_a_sweep_does_not_walk_the_queue(backlog: Any) -> None:
    """What the controller looks at every second beside the queue."""
    PlaceWaiting().run(SYSTEM)
    with asked() as statements:
        assert (lose_expired_leases(), expire_overdue(), take_back_unbegun()) == (0, 0, 0)

    assert len(statements) <= 5
    for sql, params in statements:
        assert "SCAN jobs_job" not in plan(sql, params), sql


@pytest.mark.parametrize("query", [{}, {"state": "queued"}, {"state": "placed"}])
def test_the_newest_jobs_are_shown_without_sorting_all(backlog: Any, api: Any, query: dict[str, str]) -> None:
    """The list's first page reads along an index."""
    PlaceWaiting(says=False).run(SYSTEM)
    with asked() as statements:
        answer = api.viewer.get("/api/v1/jobs/", query)

    assert answer.status_code == 200
    lists = [each for each in statements if "jobs_job" in each[0] and "COUNT" not in each[0]]
    assert len(lists) == 1
    if "placed" not in query.values():  # of few jobs the database may order what it likes
        assert "job_newest" in plan(*lists[0])
        assert "ORDER BY" not in plan(*lists[0])


def test_how_tenants_stand_is_counted_along_the_index(backlog: Any, api: Any) -> None:
    """And what goes before a job: of those that are over nothing is read, however many they are."""
    over = Job.objects.filter(pk__in=Job.objects.values("pk")[: MANY // 2])
    over.update(state=Job.State.SUCCEEDED, ended_at=timezone.now())
    job = Job.objects.filter(state=Job.State.QUEUED)[0]
    with asked() as statements:
        tenants = api.viewer.get("/api/v1/tenants/")
        shown = api.viewer.get(f"/api/v1/jobs/{job.pk}/")

    assert sum(each["waiting"] for each in tenants.json()) == MANY // 2
    assert shown.json()["turn"]["tenants_before"] == []
    counts = [each for each in statements if "jobs_job" in each[0] and "COUNT" in each[0]]
    assert counts
    if connection.vendor == "sqlite":  # PostgreSQL reads half of a table rather than through an index
        for sql, params in counts:
            assert "SCAN jobs_job" not in plan(sql, params), sql


def test_many_tenants_are_looked_at_in_few_questions(cluster: Any) -> None:
    """Two hundred of them, each with jobs that wait, and each gets its turn."""
    cluster.add("web-1", cpu=200.0)
    names = [f"tenant-{number:03}" for number in range(queue.MOST_TENANTS)]
    Job.objects.bulk_create(
        Job(task="demo.add", demand={"cpu": 1.0}, tenant=name) for name in names for _ in range(3)
    )

    with asked() as statements:
        one = PlaceWaiting(says=False).run(SYSTEM)

    assert len(statements) <= 25
    assert len(one.placed) == 200
    assert names == sorted(Job.objects.filter(state="placed").values_list("tenant", flat=True))


def test_of_many_tenants_those_are_looked_at_whose_turn_it_is(cluster: Any) -> None:
    """However they are called; and some of the others each time, so that many whose jobs fit nowhere hide nobody."""
    cluster.add("web-1", cpu=1000.0)
    many = [f"a-{number:03}" for number in range(queue.MOST_TENANTS + 50)]
    Job.objects.bulk_create(
        Job(task="demo.add", demand={"cpu": 1.0}, tenant=name) for name in many for _ in "1234"
    )
    placed = Job.objects.filter(state="placed")

    PlaceWaiting().run(SYSTEM)
    assert placed.count() == queue.MOST_TENANTS
    without = set(many) - set(placed.values_list("tenant", flat=True))
    PlaceWaiting().run(SYSTEM)
    assert without <= set(placed.values_list("tenant", flat=True))

    Job.objects.filter(state="queued").update(demand={"cpu": 5000.0})
    last = Submit("demo.add", demand={"cpu": 1.0}, tenant="z").run(SYSTEM)
    snapshot, holds = picture.view()[0], {"z": {"cpu": 900.0}}  # more than anybody else: its turn comes last
    names, further = queue.whose_turn(snapshot, holds)
    assert "z" not in names
    assert "z" in queue.whose_turn(snapshot, holds, further)[0]
    one = PlaceWaiting().run(SYSTEM)
    PlaceWaiting(one.further).run(SYSTEM)
    assert "placed" == Job.objects.get(pk=last.pk).state
