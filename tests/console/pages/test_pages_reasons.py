"""Decisions, jobs, shards, events and the search: the pages that explain."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.urls import reverse

from console.events.models import Event
from console.events.views import differences
from console.jobs.models import Job
from console.jobs.views import steps
from console.placements.models import Decision
from console.placements.views import candidates_of


def test_decision_says_why_this_host(browsers: Any, furnished: Any) -> None:
    """Sentence, candidates in order with margins, terms before and after, inputs; as JSON and command."""
    found = Decision.objects.get(pk=furnished.placed)
    answer = browsers.viewer.get(reverse("decision", args=[found.pk]))
    page = answer.content.decode()
    rows = answer.context["candidates"]

    assert found.sentence.replace("'", "&#x27;") in page
    assert [row.rank for row in rows] == [1, 2, 3]
    assert found.host == rows[0].host
    assert rows[0].chosen
    assert rows[0].margin == 0.0
    assert rows[0].total < rows[1].total < rows[2].total
    assert {"cpu", "memory"} <= {part.resource for part in rows[0].parts}
    assert all(part.after > part.before for part in rows[0].parts)
    for said in (
        f"steelyard place why {found.pk}",
        f"/api/v1/decisions/{found.pk}/",
        "spread, version",
        "Snapshot",
    ):
        assert said in page


def test_bars_share_one_scale() -> None:
    """The widest candidate fills the bar, the others are in proportion; a negative cost has no length."""
    term = {"resource": "cpu", "before": 0.1, "after": 0.2}
    document = {
        "host": "a",
        "candidates": [
            {
                "host": "a",
                "total": 1.0,
                "margin": 0.0,
                "terms": [{**term, "cost": 1.0}, {**term, "cost": -3.0}],
            },
            {
                "host": "b",
                "total": 4.0,
                "margin": 3.0,
                "terms": [{**term, "cost": 1.0}, {**term, "cost": 3.0}],
            },
        ],
    }
    widths = [[(part.start, part.width) for part in row.parts] for row in candidates_of(document)]

    assert widths == [[(0.0, 25.0), (25.0, 0.0)], [(0.0, 25.0), (25.0, 75.0)]]


def test_strip_of_a_candidate_leaves_out_what_was_not_asked(browsers: Any, furnished: Any) -> None:
    """A resource that is no part of the decision is not shown as unknown."""
    strip = browsers.viewer.get(reverse("decision", args=[furnished.placed])).context["candidates"][0].strip

    assert strip.used.split(",")[2] == "-"
    assert "before" in strip.text
    assert "unknown" not in strip.text


def test_refusal_says_what_would_have_to_change(browsers: Any, furnished: Any) -> None:
    """Each host's rule and reason, the counts, and the steps of the nearest host."""
    page = browsers.viewer.get(reverse("decision", args=[furnished.refused])).content.decode()

    for said in ("None of 3 hosts can", "too_small", "3 too small", "more than the 8 cores", "cores of cpu"):
        assert said in page


def test_decisions_are_filtered(browsers: Any, furnished: Any) -> None:
    """Kind, outcome, host and a part of the load's name."""
    url = reverse("decisions")

    def found(**query: str) -> list[str]:
        return [decision.name for decision in browsers.viewer.get(url, query).context["rows"]]

    assert found(outcome="refused") == ["huge"]
    assert found(name="REP") == ["report"]
    assert {"photos/0", "photos/1"} == set(found(kind="shard"))
    assert found(host="nobody") == []


def test_job_shows_its_way_and_is_cancelled(browsers: Any, furnished: Any) -> None:
    """Steps, host with its decision, arguments as data; a viewer may not cancel, an operator may, once."""
    url, cancel = reverse("job", args=[furnished.job]), reverse("cancel-job", args=[furnished.job])
    page = browsers.viewer.get(url).content.decode()

    assert "why there" in page
    assert "&lt;script&gt;" in page
    assert "Asks for the role operator" in page
    assert browsers.viewer.post(cancel).status_code == 403
    assert "The job is cancelled." in browsers.operator.post(cancel, follow=True).content.decode()
    assert Job.objects.get(pk=furnished.job).state == "cancelled"
    assert "Not done" in browsers.operator.post(cancel, follow=True).content.decode()


def test_waiting_job_says_for_what(browsers: Any, furnished: Any) -> None:
    """A job that no host has room for says so on its page and in the list."""
    from console.actions import SYSTEM
    from console.jobs.actions.submit import Submit

    job = Submit("demo.big", demand={"cpu": 500.0}).run(SYSTEM)

    assert "None of 3 hosts can" in browsers.viewer.get(reverse("job", args=[job.pk])).content.decode()
    listed = browsers.viewer.get(reverse("jobs"), {"state": "queued"})
    assert [job.pk] == [each.pk for each in listed.context["rows"]]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("queued", ["now", "next", "next", "next", "next"]),
        ("running", ["done", "done", "done", "now", "next"]),
        ("failed", ["done", "done", "done", "done", "now"]),
    ],
)
def test_steps_of_a_job(state: str, expected: list[str]) -> None:
    """What is done, now and next; an end that was not hoped for takes the last place."""
    assert expected == [when for _, when in steps(state)]
    assert state in [each for each, _ in steps(state)]


def test_events_show_what_changed() -> None:
    """Only the keys that differ, with what was and what is."""
    event = Event(
        before={"state": "active", "zone": "a"}, after={"state": "draining", "zone": "a", "since": 1}
    )

    assert [(each.key, each.before, each.after) for each in differences(event)] == [
        ("state", "active", "draining"),
        ("since", None, 1),
    ]
    assert [(each.key, each.before, each.after) for each in differences(Event(before=1))] == [
        ("value", 1, None)
    ]


def test_events_are_filtered_by_the_url(browsers: Any, furnished: Any) -> None:
    """Action, actor, subject and the act that groups them; an act that is none finds nothing."""
    url = reverse("events")

    def found(**query: str) -> list[str]:
        return [event.action for event, _, _ in browsers.viewer.get(url, query).context["events"]]

    act = Event.objects.filter(action="service.create").get().act
    assert found(act=str(act)) == ["service.create"]
    assert found(subject="web-1") == ["host.join"]
    assert [] == found(act="nonsense") == found(actor="nobody")


@pytest.mark.parametrize(
    ("typed", "leads"),
    [
        ("web-1", "/hosts/web-1/"),
        ("WEB-1", "/hosts/web-1/"),
        ("127.0.1.1", "/hosts/web-1/"),
        ("shop", "/services/shop/"),
        ("photos", "/shards/photos/"),
    ],
)
def test_search_leads_to_the_right_page(typed: str, leads: str, browsers: Any, furnished: Any) -> None:
    """A whole name, or a host's address, leads to its page."""
    assert leads == browsers.viewer.get(reverse("search"), {"q": typed})["Location"]


@pytest.mark.parametrize(("typed", "shows"), [("web", "/hosts/web-1/"), ("sho", "/services/shop/")])
def test_a_part_of_a_name_shows_what_has_it(typed: str, shows: str, browsers: Any, furnished: Any) -> None:
    """The page of results links what is near."""
    assert f'href="{shows}"' in browsers.viewer.get(reverse("search"), {"q": typed}).content.decode()


def test_search_finds_identities(browsers: Any, furnished: Any) -> None:
    """A job's, a decision's and a placement's identity lead to their pages."""

    def leads(identity: uuid.UUID) -> str:
        return browsers.viewer.get(reverse("search"), {"q": str(identity)})["Location"]

    placement = Decision.objects.get(pk=furnished.placed).placement
    assert f"/jobs/{furnished.job}/" == leads(furnished.job)
    assert f"/decisions/{furnished.placed}/" == leads(furnished.placed) == leads(placement.pk)


def test_the_queue_and_a_jobs_life(browsers: Any, furnished: Any) -> None:
    """Who shares by what, who goes next and why not yet; a job that was set aside says so and can go on."""
    from console.actions import SYSTEM
    from console.jobs.actions.submit import Submit
    from console.jobs.models import JobLog

    job = Submit("demo.big", demand={"cpu": 500.0}, tenant="web", tries=3).run(SYSTEM)
    JobLog.objects.create(job=job, text="it said this")
    share = {
        "name": "web",
        "weight": "2.5",
        "quota": "cpu=4 memory=1Gi",
        "preempts": "own",
        "reason": "they pay",
    }
    assert browsers.operator.post(reverse("set-tenant"), share).status_code == 403
    said = browsers.admin.post(reverse("set-tenant"), share, follow=True).content.decode()
    assert "web shares the cluster with weight 2.5" in said
    wrong = browsers.admin.post(reverse("set-tenant"), {**share, "quota": "cpu=much"}).content.decode()
    assert "cpu=much" in wrong

    queue = browsers.viewer.get(reverse("queue")).content.decode()
    assert "memory 1" in queue
    assert "demo.big" in queue
    assert "web-1" in queue
    page = browsers.viewer.get(reverse("job", args=[job.pk])).content.decode()
    assert "may fail 3 times" in page
    assert "it said this" in page
    assert "next job" in page
    Job.objects.filter(pk=job.pk).update(state="set_aside", error="its workers were lost")
    page = browsers.operator.get(reverse("job", args=[job.pk])).content.decode()
    assert "Let go on" in page
    assert "its workers were lost" in page


def test_schedules_are_made_changed_and_removed(browsers: Any, furnished: Any) -> None:
    """What is wrong stands beside its field; a viewer may look."""
    made = {"name": "nightly", "cron": "0 3 * * *", "request": '{"task": "demo.add", "demand": {"cpu": 1}}'}
    assert browsers.viewer.post(reverse("schedules"), made).status_code == 403
    assert (
        "no JSON" in browsers.operator.post(reverse("schedules"), {**made, "request": "{"}).content.decode()
    )
    refused = browsers.operator.post(reverse("schedules"), {**made, "cron": "x"}).content.decode()
    assert "Not done" in refused
    assert "five fields" in refused
    assert (
        "nightly is kept" in browsers.operator.post(reverse("schedules"), made, follow=True).content.decode()
    )
    assert "demo.add" in browsers.viewer.get(reverse("schedules"), {"name": "nightly"}).content.decode()
    gone = browsers.operator.post(reverse("remove-schedule", args=["nightly"]), follow=True).content.decode()
    assert "Nothing is scheduled" in gone
