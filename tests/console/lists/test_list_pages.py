"""What is kept of a list, and that its page, its export and its API are narrowed alike."""

from __future__ import annotations

import json
from typing import Any

import pytest
from console_furnished import HOSTILE, Browsers, Things, browsers, furnished
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agents.wire import digest
from console.accounts.models import Preference
from console.fleet.models import Host
from console.lists.columns import Column, picked, shown
from console.lists.registry import LISTINGS

__all__ = ["Browsers", "Things", "browsers", "furnished"]

PAGED = ["hosts", "services", "endpoints", "placements", "jobs", "shards", "decisions", "alerts", "events"]
COLUMNS = (Column("a", "A", ("a",)), Column("b", "B", ("b1", "b2")), Column("c", "C", usual=False))


def keys(columns: list[Column]) -> list[str]:
    return [column.key for column in columns]


def kept(key: str) -> Any:
    found = Preference.objects.filter(key=key).first()
    return found.document if found else None


def heads(answer: Any) -> list[str]:
    return [head.column.key for head in answer.context["heads"]]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ([], ["a", "b"]),
        (["a", "c"], ["a", "c"]),
        (["c", "b", "c"], ["a", "c", "b"]),
        (["x", "a"], ["a"]),
        (["x"], ["a"]),
    ],
)
def test_shown_columns_begin_with_the_name(chosen: list[str], expected: list[str]) -> None:
    """In the order that was kept, each once, without what an older version called a column; none kept: the usual."""
    assert expected == keys(shown(COLUMNS, chosen))


@pytest.mark.parametrize(
    ("text", "expected"), [("", []), ("b,a", ["b1", "b2", "a"]), ("x,y", []), ("b,b", ["b1", "b2"])]
)
def test_an_exports_columns_are_in_its_url(text: str, expected: list[str]) -> None:
    """The fields of each; a text that names none means all of them."""
    assert expected == picked(COLUMNS, text)


def test_columns_are_kept_for_the_one_who_chose(browsers: Any, furnished: Any) -> None:
    """The same in the table, for the live grid and in the exports' addresses; others see what they chose."""
    client, url = browsers.viewer, reverse("list-columns", args=["hosts"])
    back = client.post(url, {"column": ["cpu", "memory_reserved", "nothing"], "query": "state=active"})
    page = client.get(reverse("hosts"), {"label": "zone=b"})
    export = client.get(f"/lists/hosts/json/?{page.context['export_query']}")

    assert (back.status_code, back["Location"]) == (302, "/hosts/?state=active")
    assert kept("columns.hosts") == heads(page) == ["name", "cpu", "memory_reserved"]
    assert [each["key"] for each in json.loads(page.context["grid_columns"])] == heads(page)
    assert [list(each) for each in json.loads(export.getvalue())] == [
        ["name", "cpu_used", "memory_reserved"]
    ] * 2
    assert "load" in heads(browsers.operator.get(reverse("hosts")))


def test_columns_move_left_and_go_back_to_the_usual(browsers: Any, furnished: Any) -> None:
    """One place at a time; the name stays first; forgetting leaves no row behind."""
    client, url = browsers.viewer, reverse("list-columns", args=["hosts"])
    usual = heads(client.get(reverse("hosts")))
    client.post(url, {"column": ["state", "age", "cpu"], "earlier": "cpu"})
    moved = kept("columns.hosts")
    client.post(url, {"column": ["state", "age"], "earlier": "state"})
    first = kept("columns.hosts")
    client.post(url, {"usual": "1"})

    assert moved == ["name", "state", "cpu", "age"]
    assert first == ["name", "state", "age"]
    assert kept("columns.hosts") is None
    assert usual == heads(client.get(reverse("hosts")))


def test_who_wants_pages_gets_no_grid(browsers: Any, furnished: Any) -> None:
    """The choice between one live table and pages of fifty is kept beside the columns."""
    client = browsers.viewer
    live = client.get(reverse("hosts")).content.decode()
    client.post(reverse("list-columns", args=["hosts"]), {"column": ["state"], "rows": "pages"})
    pages = client.get(reverse("hosts")).content.decode()

    assert "<host-grid data-live" in live
    assert "<host-grid data-live" not in pages
    assert ">web-1</a>" in live
    assert ">web-1</a>" in pages


@pytest.mark.parametrize("listing", PAGED)
def test_a_view_is_kept_under_a_name_and_found_again(listing: str, browsers: Any, furnished: Any) -> None:
    """On every list: kept for this person alone, a link on the list's page, replaced by its name, forgotten."""
    client, url = browsers.viewer, reverse("list-views", args=[listing])
    client.post(url, {"name": HOSTILE, "query": "q=a&state=x"})
    client.post(url, {"name": "other", "query": "q=elsewhere"})
    back = client.post(url, {"name": HOSTILE, "query": "q=%3Cb%3E"})
    page = client.get(reverse(listing)).content.decode()
    client.post(url, {"forget": HOSTILE, "query": ""})

    assert back["Location"] == f"{reverse(listing)}?q=%3Cb%3E"
    assert f'<a href="{reverse(listing)}?q=%3Cb%3E">&lt;script&gt;' in page
    assert HOSTILE not in page
    assert kept(f"views.{listing}") == [{"name": "other", "query": "q=elsewhere"}]
    assert "Saved views" in page
    assert "?q=elsewhere" not in browsers.operator.get(reverse(listing)).content.decode()


@pytest.mark.parametrize(
    "fields",
    [{"name": "", "query": "a=b"}, {"name": "n" * 81, "query": ""}, {"name": "n", "query": "q" * 2001}],
)
def test_what_is_no_view_is_not_kept(fields: dict[str, str], browsers: Any) -> None:
    """A name or an address that is too long, or none: the page says so."""
    answer = browsers.viewer.post(reverse("list-views", args=["jobs"]), fields, follow=True)

    assert "Not done:" in answer.content.decode()
    assert kept("views.jobs") is None


def test_nothing_leads_away_from_the_list(browsers: Any) -> None:
    """What is posted as the query stays a query of this console's own page; lists that are none are not found."""
    url = reverse("list-views", args=["jobs"])
    for query in ("//evil.example/", "a\r\nSet-Cookie: x=1", "https://evil.example"):
        assert browsers.viewer.post(url, {"name": "n", "query": query})["Location"].startswith("/jobs/?")

    assert browsers.viewer.post(reverse("list-views", args=["nothing"]), {"name": "n"}).status_code == 404
    assert browsers.viewer.post(reverse("list-columns", args=["jobs"]), {"column": "a"}).status_code == 404
    assert browsers.anonymous.post(url, {"name": "n", "query": ""}).status_code == 302
    assert browsers.viewer.get(url).status_code == 404
    assert browsers.viewer.post(url, {"forget": "never"}).status_code == 404


QUERIES = [
    ("hosts", "state=active"), ("hosts", "state=silent"), ("hosts", "label=zone%3Db"), ("hosts", "label=note"),
    ("hosts", "label=zone%3Da+zone%3Db"), ("hosts", "label=zone%3Db+note"), ("hosts", "label=zone%3Da++note+"),
    ("hosts", "q=WEB&label=zone%3Da"), ("hosts", "q=nobody"), ("services", "q=sho"), ("services", "q=none"),
    ("jobs", "state=dispatched"), ("jobs", "host=web-1"), ("shards", "q=pho"), ("shards", "q=none"),
    ("decisions", "outcome=refused"), ("decisions", "kind=job&host=web-1"), ("placements", "group=none"),
    ("events", "action=service.create"), ("events", "subject_kind=shard&subject=photos"), ("alerts", "q=web"),
]  # fmt: skip


@pytest.mark.parametrize(("listing", "query"), QUERIES)
def test_page_export_and_api_are_narrowed_alike(
    listing: str, query: str, browsers: Any, furnished: Any, api: Any
) -> None:
    """The same parameters find as many rows in each of the three."""
    page = len(browsers.viewer.get(f"{reverse(listing)}?{query}").context["rows"])
    export = len(json.loads(browsers.viewer.get(f"/lists/{listing}/json/?{query}").getvalue()))
    found = api.viewer.get(f"/api/v1/{listing}/?{query}").json()["results"]

    assert page == export == len(found)


def test_a_program_is_told_of_what_is_no_choice(browsers: Any, furnished: Any, api: Any) -> None:
    """A page shows all; the API refuses, so that nobody takes everything for what was asked."""
    assert len(browsers.viewer.get("/hosts/?state=well").context["rows"]) == 3
    assert api.viewer.get("/api/v1/hosts/?state=well").status_code == 400
    assert api.viewer.get("/api/v1/hosts/?state=").status_code == 200


def test_every_list_that_has_a_page_offers_its_views(browsers: Any, furnished: Any) -> None:
    """And its exports lead to a list that there is."""
    assert set(PAGED) <= set(LISTINGS)
    for listing in PAGED:
        page = browsers.viewer.get(reverse(listing)).content.decode()
        assert f'action="{reverse("list-views", args=[listing])}"' in page
        assert reverse("export", args=[listing, "csv"]) in page


@pytest.mark.parametrize(
    "query", ["", "?state=silent", "?label=zone%3Da&q=n-", "?sort=-cpu", "?sort=labels&page=2"]
)
def test_hosts_cost_no_more_questions_for_more_rows(query: str, browsers: Any, cluster: Any) -> None:
    """As many among 180 as among 60, and few."""
    counts = []
    for many in (60, 120):
        Host.objects.bulk_create(
            [
                Host(
                    name=f"n-{many}-{n:03}",
                    address="127.0.2.1",
                    labels={"zone": "a"},
                    credential_digest=digest(f"{many}-{n}"),
                )
                for n in range(many)
            ]
        )
        with CaptureQueriesContext(connection) as asked:
            browsers.viewer.get(f"/hosts/{query}")
        counts.append(len(asked))

    assert counts[0] == counts[1] <= 9
