"""Browsers of each role, and a cluster with one thing of every kind on it, for tests of pages and of the search."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

HOSTILE = "<script>alert(1)</script>\"'&"


@dataclass(frozen=True)
class Browsers:
    """Django's test clients, logged in as each role; anonymous is not."""

    anonymous: Client
    viewer: Client
    operator: Client
    admin: Client


@pytest.fixture
def browsers(user: Callable[[str], Any], cluster: Any) -> Browsers:
    """One client a role."""
    clients = {role: Client() for role in ("viewer", "operator", "admin")}
    for role, client in clients.items():
        client.force_login(user(role))
    return Browsers(anonymous=Client(), **clients)


@dataclass(frozen=True)
class Things:
    """What stands on the furnished cluster."""

    placed: uuid.UUID
    refused: uuid.UUID
    job: uuid.UUID
    token: str


@pytest.fixture
def furnished(cluster: Any) -> Things:
    """Three hosts, a service, a placement, a refusal, a job and a shard; one host's label is hostile."""
    from balancer_core.placement import Load
    from console.actions import SYSTEM, Actor
    from console.fleet.models import Host
    from console.jobs.actions.submit import Submit
    from console.placements.actions.commit import FitsNowhere
    from console.placements.actions.place import Place
    from console.storage.actions.shards import CreateShard
    from console.traffic.actions.services import CreateService

    cluster.add("web-1", {"zone": "a"}, used={"cpu": 2.0, "memory": 2**32})
    cluster.add("web-2", {"zone": "b"}, used={"cpu": 4.0})
    cluster.add("db-1", {"zone": "b"}, used={"cpu": 1.0})
    CreateService("shop", "http", "127.0.0.1", 18080, [("web-1", 8080), ("web-2", 8080)]).run(
        Actor("system", "steelyard")
    )
    placement = Place(Load("job", "report", {"cpu": 1.0, "memory": 2.0**30})).run(SYSTEM)
    with pytest.raises(FitsNowhere) as refusal:
        Place(Load("job", "huge", {"cpu": 999.0})).run(SYSTEM)
    job = Submit("demo.add", args=[HOSTILE], demand={"cpu": 0.5}).run(SYSTEM)
    CreateShard("photos", 2**20, "web-1", "photos").run(SYSTEM)
    # Joining refuses such labels; the pages must not rely on that.
    Host.objects.filter(name="web-1").update(labels={"zone": "a", "note": HOSTILE}, agent_version=HOSTILE)
    return Things(placement.decision_id, refusal.value.decision_id, job.pk, cluster.token().partition(".")[0])
