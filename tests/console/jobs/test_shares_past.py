"""Tenants' shares over time: kept a point a minute, bounded, with gaps where nobody looked; drawn, and over REST."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from console.actions import SYSTEM
from console.controller.lease import Candidate, Fenced
from console.controller.work import learn_needs
from console.jobs.actions.submit import SubmitMany
from console.jobs.actions.tenants import SetTenant
from console.jobs.models import SharesSeen
from console.jobs.shares_page import HEIGHT, WIDTH, lines
from console.jobs.shares_past import KEPT, keep_shares, pasts
from console.jobs.spec import Spec

NOON = datetime(2026, 5, 1, 12, 0, 30, tzinfo=UTC)


def seen(minutes_ago: int, now: datetime = NOON, **tenants: tuple[float, float]) -> None:
    """A point of so many minutes ago: share and fair part by tenant."""
    at = (now - timedelta(minutes=minutes_ago)).replace(second=0, microsecond=0)
    rows = {name: [share, fair, None, 1.0, "cpu"] for name, (share, fair) in tenants.items()}
    SharesSeen.objects.create(at=at, tenants=rows)


def test_a_point_a_minute_is_kept_of_who_holds_or_wants(cluster: Any) -> None:
    """Share, fair part by weight, and what its quota allows; the oldest go; nobody else has a point."""
    cluster.add("web-1")
    SetTenant("gold", weight=3.0, quota={"cpu": 6.0}).run(SYSTEM)
    SetTenant("idle").run(SYSTEM)
    SubmitMany([Spec("demo.add", demand={"cpu": 2.0}, tenant="gold") for _ in range(2)]).run(SYSTEM)
    SubmitMany([Spec("demo.add", demand={"cpu": 9.0}, tenant="wants")]).run(SYSTEM)
    SharesSeen.objects.create(at=NOON - KEPT - timedelta(minutes=1), tenants={})

    assert keep_shares(NOON) is True
    assert keep_shares(NOON + timedelta(seconds=20)) is False

    (row,) = SharesSeen.objects.all()
    assert row.at == NOON.replace(second=0)
    assert row.tenants == {"gold": [0.5, 0.75, 0.75, 3.0, "cpu"], "wants": [0.0, 0.25, None, 1.0, ""]}


@pytest.mark.django_db
def test_the_last_hour_has_a_value_a_minute_and_gaps() -> None:
    """Who is not named in a minute held nothing then; before a tenant came it held nothing, and a minute without a
    point is unknown for everybody."""
    seen(60, a=(0.9, 1.0))  # outside
    seen(3, a=(0.2, 1.0))
    seen(1, b=(0.4, 0.5), a=(0.3, 0.5))
    seen(0, b=(0.4, 1.0))

    found = pasts("1h", NOON)

    b, a = found.tenants
    assert (found.step_s, len(found.at), found.at[-1]) == (60.0, 60, NOON.replace(second=0))
    assert a.share[-5:] == [None, 0.2, None, 0.3, 0.0]
    assert b.share[-5:] == [None, 0.0, None, 0.4, 0.4]
    assert (a.now, a.most, a.fair_now, b.now, b.fair_now, b.quota_now) == (0.0, 0.3, 0.0, 0.4, 1.0, None)


@pytest.mark.django_db
def test_the_last_day_has_the_most_of_each_quarter_of_an_hour() -> None:
    """So that a short peak is not lost."""
    for minutes, share in ((0, 0.1), (20, 0.2), (21, 0.8), (22, 0.3)):
        seen(minutes, a=(share, 1.0))

    (a,) = pasts("24h", NOON).tenants

    assert len(a.share) == 96
    assert a.share[-3:] == [0.8, None, 0.1]


def test_lines_break_at_gaps() -> None:
    """From top to bottom of the drawing; one point alone is a line too, and what is above the top is drawn at it."""
    assert lines([0.0, 0.5, None, 2.0], 0.5) == [
        f"0.0,{HEIGHT - 1:.1f} {WIDTH / 3:.1f},1.0",
        f"{WIDTH:.1f},1.0 {WIDTH:.1f},1.0",
    ]
    assert lines([None, None], 1.0) == []


@pytest.mark.django_db
def test_only_who_leads_keeps_points(cluster: Any) -> None:
    """In the controller's own step, once a minute."""
    candidate = Candidate("one")
    assert candidate.campaign(0.0)
    with pytest.raises(Fenced):
        learn_needs(candidate.epoch - 1)
    assert not SharesSeen.objects.exists()
    learn_needs(candidate.epoch)
    learn_needs(candidate.epoch)
    assert SharesSeen.objects.count() in (1, 2)  # a minute may have passed between them


def test_the_page_draws_them_and_the_api_says_them(cluster: Any, client: Any, user: Any, api: Any) -> None:
    """Each tenant by name, with its figures in a table; a range that there is not is refused."""
    client.force_login(user("viewer"))
    seen(2, timezone.now(), web=(0.25, 0.5), batch=(0.75, 0.5))
    seen(1, timezone.now(), web=(0.5, 0.5), batch=(0.5, 0.5))

    page = client.get(reverse("shares")).content.decode()
    assert page.count("<figure>") == 2
    assert "web: 50 % now, at most 50 %, fair part 50 %" in page
    assert 'class="share" points="' in page
    assert "75 %" in page
    assert client.get(reverse("shares"), {"range": "24h"}).content.decode().count("<figure>") == 2
    assert client.get(reverse("shares"), {"range": "zzz"}).status_code == 200
    answer = api.viewer.get("/api/v1/tenant-shares/?range=24h").json()
    assert (answer["range"], answer["step_s"], len(answer["at"])) == ("24h", 900.0, 96)
    assert {each["name"]: each["most"] for each in answer["tenants"]} == {"web": 0.5, "batch": 0.75}
    refused = api.viewer.get("/api/v1/tenant-shares/?range=1y")
    assert refused.status_code == 400
    assert "1h, 24h" in refused.content.decode()
