"""A host's single disks and cards: what is believed of them, and where they are shown."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from console_furnished import HOSTILE, browsers
from django.urls import reverse
from django.utils import timezone

from agents.wire import LONGEST_PART, MOST_PARTS, Flow, Mount, Parts, Report
from console.alerts.evaluator import Evaluator
from console.alerts.models import Alert
from console.controller.lease import Candidate
from console.live import feed
from console.live.ingest import check_capacity_report, take
from console.live.picture import SILENT_AFTER_S, Picture, picture
from console.live.ticks import decode_tick

__all__ = ["browsers"]

GIB = 2.0**30
GOOD = Parts(
    [Mount("/var/log", 9.8 * GIB, 10 * GIB), Mount(HOSTILE, 1 * GIB, 100 * GIB)],
    [Flow("nvme0n1", 2e6, 1e6)],
    [Flow("eth0", 5e6, 3e6)],
)
CARD = Flow("eth0", 1.0, 1.0)


def report(parts: Parts | None, seq: int = 1, **more: Any) -> Report:
    return Report(seq, "web-1", {"cpu": 1.0}, parts=parts, **more)


@pytest.fixture
def told(cluster: Any) -> None:
    """web-1 has told its parts."""
    cluster.add("web-1")
    assert take(picture, "web-1", 0, report(GOOD)) is None


@pytest.mark.parametrize(
    ("parts", "code", "field"),
    [
        (Parts([], [], [CARD] * (MOST_PARTS + 1)), "too_many", "parts.cards"),
        (Parts([Mount("/", 2.0, 1.0)], [], []), "impossible", "parts.mounts.0"),
        (Parts([Mount("/", 0.0, 0.0)], [], []), "impossible", "parts.mounts.0"),
        (Parts([Mount("/", math.nan, 1.0)], [], []), "not_finite", "parts.mounts.0"),
        (Parts([], [CARD, Flow("sda", -1.0, 0.0)], []), "impossible", "parts.disks.1"),
        (Parts([], [Flow("sda", math.inf, 0.0)], []), "not_finite", "parts.disks.0"),
        (Parts([], [], [Flow("e\nth0", 1.0, 1.0)]), "invalid_name", "parts.cards.0"),
        (Parts([], [], [Flow("", 1.0, 1.0)]), "invalid_name", "parts.cards.0"),
        (Parts([], [], [Flow("x" * (LONGEST_PART + 1), 1.0, 1.0)]), "invalid_name", "parts.cards.0"),
    ],
)
def test_a_lie_refuses_the_whole_report(told: None, parts: Parts, code: str, field: str) -> None:
    """Also one that brings a capacity; what was known stays."""
    fault = take(picture, "web-1", 1, Report(2, "web-1", {"cpu": 7.0}, parts=parts))
    other = check_capacity_report(picture, "web-1", 1, report(parts, 2, capacity={"cpu": 4.0}))

    assert fault is not None
    assert other is not None
    assert (fault.code, fault.field) == (other.code, other.field) == (code, field)
    known = picture.parts("web-1")
    assert known is not None
    assert known[0] == GOOD
    assert picture.used("web-1") == {"cpu": 1.0}


def test_reports_without_them_leave_what_is_known_until_it_is_old(
    told: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most reports have none; three keepalives later they are unknown."""
    assert take(picture, "web-1", 1, report(None, 2)) is None
    assert picture.parts("web-1") is not None
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + SILENT_AFTER_S + 1)

    assert picture.parts("web-1") is None
    assert picture.fullest_mounts() == {}


def test_other_processes_hear_of_them(told: None) -> None:
    """By the tick, of the hosts that told them; a tick without them takes nothing away."""
    other = Picture()
    other.load()
    running = feed.Feed()
    for names in (["web-1"], []):
        other.take_tick(decode_tick(running._encode(["web-1"], names)), time.monotonic())

        known = other.parts("web-1")
        assert known is not None
        assert known[0] == GOOD


def test_page_and_document_show_each_of_them(browsers: Any, api: Any, told: None) -> None:
    """A full mount is called full though the host's disk has room; names are text; a silent agent's are unknown."""
    page = browsers.viewer.get(reverse("host", args=["web-1"])).content.decode()
    live = browsers.viewer.get(reverse("host-live", args=["web-1"])).json()["parts"]
    document = api.viewer.get("/api/v1/hosts/web-1/").json()["parts"]
    listed = api.viewer.get("/api/v1/hosts/").json()["results"][0]

    assert page.count('<span class="state refused">full</span>') == 1
    assert "/var/log" in page
    assert HOSTILE not in page
    assert [(each["name"], each["full"]) for each in live["mounts"]] == [("/var/log", True), (HOSTILE, False)]
    assert live["cards"][0]["flow"] == [5e6, 3e6]
    assert document["mounts"][0]["used_share"] == pytest.approx(0.98)
    assert document["disks"] == [{"name": "nvme0n1", "read_per_s": 2e6, "written_per_s": 1e6}]
    assert "parts" not in listed


def test_an_older_agent_tells_none(browsers: Any, api: Any, cluster: Any) -> None:
    """Its page says so, its document has null."""
    cluster.add("web-1")

    assert api.viewer.get("/api/v1/hosts/web-1/").json()["parts"] is None
    page = browsers.viewer.get(reverse("host", args=["web-1"])).content.decode()
    assert "too old to tell them one by one" in page


@pytest.fixture
def look(cluster: Any) -> Callable[[float], list[str]]:
    """look(s): the sentences of the alerts that fire s seconds from now."""
    assert Candidate("a").campaign(0.0)
    evaluator = Evaluator(picture, 1)
    now, at = time.monotonic(), timezone.now()

    def step(later_s: float) -> list[str]:
        evaluator.step(now + later_s, at + timedelta(seconds=later_s), None)
        fired = Alert.objects.filter(rule="mount-full", state="firing")
        return list(fired.values_list("sentence", flat=True))

    return step


def test_a_full_mount_is_an_alert_and_an_unknown_one_is_not_well(
    told: None, look: Callable[[float], list[str]]
) -> None:
    """After a minute, with path and host; it stays while the agent tells nothing, and ends when there is room."""
    assert look(0.0) == []
    assert look(61.0) == ["/var/log on web-1 is 98% full."]
    take(picture, "web-1", 1, report(Parts([], [], []), 2))
    assert look(120.0) != []
    take(picture, "web-1", 2, report(Parts([Mount("/var/log", 1.0, 10.0)], [], []), 3))
    look(130.0)
    assert look(200.0) == []
