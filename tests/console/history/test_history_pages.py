"""The past of a host as a page, as a file and as marks: what is shown of which stretch of time."""

from __future__ import annotations

import csv
import io
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from balancer_core.load import Load
from console.actions import SYSTEM
from console.fleet.actions.lifecycle import Drain, Uncordon
from console.history.record import keep, observe
from console.history.spans import RANGES, moment_of, span_of
from console.history.table import rows
from console.live.picture import picture
from console.placements.actions.place import Place
from console.placements.actions.release import Release

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BARS = ("cpu", "memory", "disk", "net")


def page(user: Any, path: str, **query: str) -> Any:
    client = Client()
    client.force_login(user("viewer"))
    return client.get(path, query)


def kept(cluster: Any, steps: int = 3) -> datetime:
    """web-1 with so many fine steps that end about now."""
    cluster.add("web-1")
    now = timezone.now()
    for step in range(steps):
        picture.report("web-1", {"cpu": 2.0 * (step + 1)}, time.monotonic())
        keep(observe(picture, time.monotonic(), now + timedelta(seconds=10 * (step + 1 - steps))))
    return now


@pytest.mark.parametrize("name", RANGES)
def test_a_usual_range_ends_now(name: str) -> None:
    """And its link says the name, so that it goes on with the clock."""
    span = span_of({"range": name}, NOW)

    assert (span.begin, span.end, span.query) == (NOW - RANGES[name], NOW, f"range={name}")


def test_two_moments_are_a_range_of_their_own() -> None:
    """Without a zone they are UTC; its link says the same two."""
    span = span_of({"begin": "2026-02-01T10:00", "end": "2026-02-01T12:30:00+01:00"}, NOW)

    assert (span.begin.isoformat(), (span.end - span.begin).total_seconds()) == (
        "2026-02-01T10:00:00+00:00",
        5400,
    )
    assert span_of({"begin": span.begin.isoformat(), "end": span.end.isoformat()}, NOW) == span


@pytest.mark.parametrize(
    "query",
    [{}, {"range": "9y"}, {"begin": "yesterday", "end": "now"}, {"begin": "2026-02-02", "end": "2026-02-01"}],
)
def test_what_is_no_range_is_the_last_hour(query: dict[str, str]) -> None:
    """A page is shown whatever its URL says."""
    assert span_of(query, NOW).name == "1h"


@pytest.mark.parametrize("text", ["", "<script>", "2026-13-40T99:00", "9" * 400, "\x00"])
def test_what_is_no_moment_is_none(text: str) -> None:
    """Not an error: it came from a URL."""
    assert moment_of(text) is None


def test_rows_never_say_less_than_was() -> None:
    """Of several points least, the highest p95 and most; all states; unknown only where nothing was known."""
    points = {"min": [0.2, 0.1], "p95": [0.3, 0.6], "max": [0.4, 0.7], "reserved": [0.5, None]}
    unknown = {kind: [None, None] for kind in points}
    series = {"at": [0.0, 10.0], "state": [2, 4], "used": dict.fromkeys(BARS, unknown) | {"cpu": points}}
    (row,) = rows(series, 1)

    assert row.cells["cpu"] == {"min": 0.1, "p95": 0.6, "max": 0.7, "reserved": 0.5}
    assert row.cells["net"] == {"min": None, "p95": None, "max": None, "reserved": None}
    assert row.words == ["draining", "lost"]
    assert [len(rows(series | {"at": [0.0] * n, "state": [0] * n}, 48)) for n in (0, 1, 48, 49)] == [
        0,
        1,
        48,
        25,
    ]


def test_the_page_has_the_figures_in_rows(cluster: Any, user: Any) -> None:
    """For who does not see the charts; where nothing is kept it says so."""
    kept(cluster)
    full = page(user, "/hosts/web-1/past/").content.decode()
    none = page(user, "/hosts/web-1/past/", begin="2020-01-01", end="2020-01-02").content.decode()

    assert "75 %" in full
    assert "3 moments are kept of this time" in full
    assert "Nothing is kept of web-1" in none
    assert page(user, "/hosts/nobody/past/").status_code == 404


def test_the_file_has_every_point(cluster: Any, user: Any) -> None:
    """As numbers under a header, named after the host and the stretch."""
    kept(cluster)
    answer = page(user, "/hosts/web-1/past/", format="csv")
    lines = list(csv.DictReader(io.StringIO(answer.content.decode())))

    assert [line["cpu max"] for line in lines] == ["0.248", "0.500", "0.752"]
    assert {line["state"] for line in lines} == {""}
    assert answer["Content-Disposition"].startswith('attachment; filename="web-1-')


def test_what_happened_is_marked(cluster: Any, api: Any) -> None:
    """The host's own events one by one with their reason, placements bunched, in the order of time."""
    cluster.add("web-1")
    Drain("web-1", '<b>hot & "loud"</b>').run(SYSTEM)
    Uncordon("web-1").run(SYSTEM)
    placed = [Place(Load("job", f"j-{each}", {"cpu": 0.1})).run(SYSTEM) for each in range(5)]
    Release(placed[0].pk).run(SYSTEM)
    marks = api.viewer.get("/api/v1/history/hosts/web-1/marks/").json()
    counts = {mark["kind"]: mark["count"] for mark in marks}

    assert [mark["at"] for mark in marks] == sorted(mark["at"] for mark in marks)
    assert counts == {"join": 1, "drain": 1, "uncordon": 1, "placed": 5, "released": 1}
    assert "drain by" in marks[1]["text"]
    assert '<b>hot & "loud"</b>' in marks[1]["text"]
    (bunch,) = [mark for mark in marks if mark["kind"] == "placed"]
    assert bunch["text"].endswith("and 2 more")
    assert api.viewer.get("/api/v1/history/hosts/web-1/marks/?end=2020-01-01T00:00Z").json() == []


def test_marks_are_text_on_the_page(cluster: Any, user: Any) -> None:
    """A reason is somebody's words, not markup."""
    cluster.add("web-1")
    Drain("web-1", "<script>alert(1)</script>").run(SYSTEM)
    shown = page(user, "/hosts/web-1/past/").content.decode()

    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert(1)" in shown


def test_the_last_hour_is_read_in_full_detail(cluster: Any, api: Any) -> None:
    """Also though a moment passes between asking and reading."""
    kept(cluster)
    answer = api.viewer.get("/api/v1/history/hosts/web-1/?range=1h").json()
    day = api.viewer.get("/api/v1/history/hosts/web-1/?range=24h").json()

    assert (answer["step_s"], len(answer["at"])) == (10.0, 3)
    assert answer["end"] - answer["begin"] == pytest.approx(3600, abs=1)
    assert day["step_s"] == 120.0
    assert api.viewer.get("/api/v1/history/hosts/web-1/?range=9y").status_code == 400
