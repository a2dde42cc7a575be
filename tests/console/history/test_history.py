"""The past: what is kept for how long, and how it is read again."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.test import Client

from console.history.models import Frame, Roster
from console.history.read import of_cluster, of_host
from console.history.record import keep, observe
from console.history.tiers import summarise
from console.live.picture import picture

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def fill(cluster: Any, steps: int) -> None:
    """So many fine steps that end at noon; web-1's cpu rises by half a core each, of eight."""
    for step in range(steps):
        picture.report("web-1", {"cpu": 0.5 * (step % 16)}, time.monotonic())
        keep(observe(picture, time.monotonic(), NOON + timedelta(seconds=10 * (step + 1 - steps))))


def get(user: Any, path: str, **query: str) -> Any:
    client = Client()
    client.force_login(user("viewer"))
    return client.get(f"/api/v1/history/{path}", query)


def test_a_summary_keeps_the_extremes() -> None:
    """Of known values least, 95th of a hundred and most; unknown where nothing was known."""
    frames = np.zeros((100, 2, 10), np.uint8)
    frames[:, 0, 0] = np.random.default_rng(1).permutation(100)
    frames[:, 1, 0] = 255
    frames[7, 0, 8] = 4

    row, silent = summarise(frames)

    assert (row[0], row[4], row[8], row[16]) == (0, 94, 99, 4)
    assert (silent[0], silent[4], silent[8]) == (255, 255, 255)


def test_a_peak_survives_into_the_coarser_tier(cluster: Any, user: Any) -> None:
    """What one fine step saw is the most of its two minutes; each step of time is written once."""
    cluster.add("web-1")
    fill(cluster, 13)
    again = keep(observe(picture, time.monotonic(), NOON))

    middle = Frame.objects.get(tier="middle", at=NOON)
    assert again == 0
    assert Frame.objects.filter(tier="fine").count() == 13
    assert bytes(middle.data)[8] == round(12 * 0.5 / 8 * 250)


def test_what_is_too_old_goes(cluster: Any, settings: Any) -> None:
    """Disk stays bounded: frames beyond their tier's time, and rosters that nothing refers to."""
    settings.STEELYARD_HISTORY_HOURS = [0.01, 0.01, 0.01]
    cluster.add("web-1")
    fill(cluster, 2)
    cluster.add("web-2")
    keep(observe(picture, time.monotonic(), NOON + timedelta(hours=1)))

    assert [frame.at for frame in Frame.objects.filter(tier="fine")] == [NOON + timedelta(hours=1)]
    assert [len(roster.hosts) for roster in Roster.objects.all()] == [2]


def test_a_host_is_read_over_a_stretch_and_over_changed_rows(cluster: Any, user: Any) -> None:
    """Its own bytes of each frame, in order, also after another host came before it."""
    cluster.add("web-1")
    fill(cluster, 3)
    cluster.add("a-first")
    keep(observe(picture, time.monotonic(), NOON + timedelta(seconds=10)))
    stretch = (NOON - timedelta(minutes=1), NOON + timedelta(minutes=1), NOON + timedelta(minutes=1))
    one, late, whole = of_host("web-1", *stretch), of_host("a-first", *stretch), of_cluster(*stretch)

    assert [at - NOON.timestamp() for at in one["at"]] == [-20.0, -10.0, 0.0, 10.0]
    assert one["used"]["cpu"]["max"] == pytest.approx([0.0, 0.0625, 0.125, 0.125], abs=0.003)
    assert late["at"] == [NOON.timestamp() + 10]
    assert whole["used"]["cpu"]["max"] == one["used"]["cpu"]["max"]


def test_a_long_stretch_is_read_from_the_coarse_tier(cluster: Any, user: Any) -> None:
    """Over REST, of a time long gone: one point of half an hour, with what was most in it."""
    cluster.add("web-1")
    fill(cluster, 3)
    window = {"begin": (NOON - timedelta(days=7)).isoformat(), "end": NOON.isoformat()}
    found = [get(user, path, **window).json() for path in ("hosts/web-1/", "cluster/")]

    assert [(each["step_s"], each["at"]) for each in found] == [(1800.0, [NOON.timestamp()])] * 2
    assert found[0]["used"]["cpu"]["max"] == pytest.approx([0.125], abs=0.003)
    assert get(user, "hosts/nobody/").status_code == 404


def test_all_hosts_at_a_moment(cluster: Any, user: Any) -> None:
    """The frame before it, in shares and words; a moment that nothing is kept of is not there."""
    cluster.add("web-1")
    fill(cluster, 5)
    then = get(user, "at/", t=(NOON + timedelta(seconds=4)).isoformat())
    never = get(user, "at/", t=(NOON - timedelta(days=1)).isoformat())

    (host,) = then.json()["results"]
    assert (host["name"], host["state"], host["used"]["cpu"]) == ("web-1", [], pytest.approx(0.25, abs=0.003))
    assert never.status_code == 404


@pytest.mark.parametrize(
    "query", [{"begin": "yesterday"}, {"begin": "2026-03-02T00:00Z", "end": "2026-03-01T00:00Z"}]
)
def test_a_stretch_that_is_none_is_refused(query: dict[str, str], cluster: Any, user: Any) -> None:
    """With the field that is at fault."""
    answer = get(user, "cluster/", **query)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "begin"


def test_a_moment_comes_in_pages(cluster: Any, user: Any) -> None:
    """As all lists do: so many from an offset, and how many there are."""
    for name in ("web-1", "web-2", "web-3"):
        cluster.add(name)
    fill(cluster, 1)
    answer = get(user, "at/", t=NOON.isoformat(), limit="1", offset="1").json()

    assert (answer["count"], [host["name"] for host in answer["results"]]) == (3, ["web-2"])
    assert "offset=2" in answer["next"]


def test_the_cluster_is_read_from_summaries_alone(
    cluster: Any, user: Any, django_assert_num_queries: Any
) -> None:
    """One query without a host's bytes, of all three hosts least and most."""
    for name in ("web-1", "web-2", "web-3"):
        cluster.add(name)
    picture.report("web-2", {"cpu": 6.0}, time.monotonic())
    fill(cluster, 2)
    Frame.objects.update(data=b"")
    with django_assert_num_queries(1):
        found = of_cluster(NOON - timedelta(minutes=1), NOON, NOON)

    assert found["used"]["cpu"]["max"] == pytest.approx([0.75, 0.75], abs=0.003)
    assert found["used"]["cpu"]["min"] == [0.0, 0.0]


def test_observing_writes_nothing_and_keeping_not_twice(cluster: Any) -> None:
    """What is computed outside the fence is written inside it; a leader that was late finds it there."""
    cluster.add("web-1")
    fill(cluster, 12)
    later = NOON + timedelta(seconds=10)
    frames = Frame.objects.count()
    first, second = (observe(picture, time.monotonic(), later) for _ in range(2))

    assert Frame.objects.count() == frames
    assert (len(first.pages), keep(first), keep(second)) == (1, 1, 0)
    assert observe(picture, time.monotonic(), later).pages == []


def test_a_coarse_frame_follows_hosts_that_came_meanwhile(cluster: Any) -> None:
    """Rows are those of the last moment; who came late has only what was seen of it."""
    cluster.add("web-1")
    picture.report("web-1", {"cpu": 4.0}, time.monotonic())
    for seconds in (-20, -10):
        keep(observe(picture, time.monotonic(), NOON + timedelta(seconds=seconds)))
    cluster.add("a-first")
    picture.report("a-first", {"cpu": 2.0}, time.monotonic())
    picture.report("web-1", {"cpu": 1.0}, time.monotonic())
    keep(observe(picture, time.monotonic(), NOON))
    middle = Frame.objects.get(tier="middle", at=NOON)
    table = np.frombuffer(middle.data, np.uint8).reshape(-1, 18)
    rows = {host["name"]: table[row] for row, host in enumerate(middle.roster.hosts)}

    assert (rows["a-first"][0], rows["a-first"][8]) == (62, 62)
    assert (rows["web-1"][0], rows["web-1"][8]) == (31, 125)


def test_frames_from_before_are_summarised_by_the_migration(cluster: Any) -> None:
    """Each gets the summary that it would have been written with."""
    from importlib import import_module

    from django.apps import apps
    from django.db import connection

    cluster.add("web-1")
    fill(cluster, 13)
    kept = dict(Frame.objects.values_list("pk", "summary"))
    Frame.objects.update(summary=b"")
    with connection.schema_editor() as editor:
        import_module("console.history.migrations.0002_summary").summarise(apps, editor)

    assert {key: bytes(value) for key, value in Frame.objects.values_list("pk", "summary")} == {
        key: bytes(value) for key, value in kept.items()
    }
