"""One host whose workers are the test itself, and jobs for it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis
from django.conf import settings

from console.actions import SYSTEM
from console.jobs.actions.place import PlaceWaiting
from console.jobs.actions.submit import Submit
from console.jobs.models import Job


def submit(**more: Any) -> Job:
    return Submit("demo.add", args=[1, 2], demand={"cpu": 1.0}, **more).run(SYSTEM)


def at(job: Job) -> tuple[str, int]:
    return str(job.pk), Job.objects.get(pk=job.pk).attempt


def place_now() -> None:
    """What waits for its next try need not wait."""
    Job.objects.update(not_before=None)
    PlaceWaiting().run(SYSTEM)


def state(job: Job) -> str:
    return Job.objects.get(pk=job.pk).state


@pytest.fixture
def host(cluster: Any) -> Any:
    """One host, and empty queues on the broker."""
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    return cluster.add("web-1")


def messages(name: str = "web-1") -> list[dict[str, Any]]:
    """What is in the host's queue on the broker."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        return [json.loads(each) for each in client.lrange(f"host.{name}", 0, -1)]
