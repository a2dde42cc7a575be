"""Every page: who may see it, what it says, and how few questions it asks the database."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import NoReverseMatch, reverse

from console.accounts.models import Role
from console.pages import urls as pages

#: Name of the page, its arguments (of Things, or as they are), something it must say, and its most queries.
#: Two of the queries are the session and its user.
PAGES: dict[str, tuple[str, list[str], str, int]] = {
    "map": ("map", [], "<cluster-map", 12),
    "hosts": ("hosts", [], "127.0.1.1", 6),
    "host": ("host", ["web-1"], "Cordon", 12),
    "chain": ("chain", [], "As a list", 9),
    "services": ("services", [], "127.0.0.1:18080", 6),
    "service": ("service", ["shop"], ":8080", 6),
    "endpoints": ("endpoints", [], ":8080", 4),
    "placements": ("placements", [], "report", 5),
    "bulk": ("bulk", [], "Nothing was done to many at once yet", 3),
    "jobs": ("jobs", [], "demo.add", 4),
    "job": ("job", ["@job"], "dispatched", 7),
    "queue": ("queue", [], "default", 10),
    "workers": ("workers", [], "web-1", 7),
    "shares": ("shares", [], "Nobody's jobs held", 3),
    "schedules": ("schedules", [], "Nothing is scheduled", 4),
    "tasks": ("tasks", [], "Nothing is learned yet", 3),
    "shards": ("shards", [], "photos", 7),
    "shard": ("shard", ["photos"], "reserved", 8),
    "storage-pools": ("storage-pools", [], "2 copies", 4),
    "storage-pool": ("storage-pool", ["default"], "What it keeps to", 6),
    "storage-capacity": ("storage-capacity", [], "Days until full", 7),
    "decisions": ("decisions", [], "report", 4),
    "decision": ("decision", ["@placed"], "Candidates", 6),
    "refusal": ("decision", ["@refused"], "What would have to change", 6),
    "alerts": ("alerts", [], "rules look at hosts", 9),
    "silences": ("silences", [], "Nothing is silenced", 4),
    "alert-rules": ("alert-rules", [], "Host lost", 5),
    "settings": ("settings", [], "a-viewer", 5),
    "policies": ("policies", [], "What holds now", 5),
    "policy": ("policy", ["job"], "How jobs are placed", 4),
    "api": ("api", [], "/api/v1/placements/", 4),
    "api-explorer": ("api-explorer", [], "swagger-ui-bundle.js", 3),
    "events": ("events", [], "host.join", 5),
    "weights": ("weights", ["shop"], "no weight is known", 7),  # one of them: the last change, to take back
    "plans": ("plans", [], "Ask before you act", 4),
}
#: What the frame asks on every page: the preferences.
OF_FRAME = 1
OPERATORS = ["add-host", "new-service"]


def address(name: str, arguments: list[str], furnished: Any) -> str:
    given = [getattr(furnished, each[1:]) if each.startswith("@") else each for each in arguments]
    return reverse(name, args=given)


@pytest.mark.parametrize("which", PAGES)
def test_viewer_reads_every_page_with_few_queries(
    which: str, browsers: Any, furnished: Any, django_assert_max_num_queries: Any
) -> None:
    """A viewer gets the page with what it is about, within its number of queries. The second look counts: what does
    not change is made once a process."""
    name, arguments, says, queries = PAGES[which]
    browsers.viewer.get(address(name, arguments, furnished))
    with django_assert_max_num_queries(queries + OF_FRAME):
        answer = browsers.viewer.get(address(name, arguments, furnished))

    assert answer.status_code == 200
    assert says in answer.content.decode()


@pytest.mark.parametrize("which", PAGES)
def test_anonymous_is_sent_to_the_login(which: str, browsers: Any, furnished: Any) -> None:
    """Without a session every page leads to the login, which leads back."""
    name, arguments, _, _ = PAGES[which]
    url = address(name, arguments, furnished)
    answer = browsers.anonymous.get(url)

    assert answer.status_code == 302
    assert answer["Location"].startswith(f"{reverse('login')}?next={url}")


@pytest.mark.parametrize("name", OPERATORS)
def test_forms_are_for_operators(name: str, browsers: Any) -> None:
    """A viewer is told which role is asked; an operator gets the form."""
    refused = browsers.viewer.get(reverse(name))

    assert refused.status_code == 403
    assert "asks for the role operator" in refused.content.decode()
    assert browsers.operator.get(reverse(name)).status_code == 200


def test_every_page_names_its_role() -> None:
    """No page is in the list without an explicit role."""
    roles = {pattern.name: getattr(pattern.callback, "role", None) for pattern in pages.urlpatterns}

    assert {name for name, role in roles.items() if not isinstance(role, Role)} == set()


@pytest.mark.parametrize("which", [*PAGES, *OPERATORS])
def test_pages_are_fit_for_the_strict_policy(which: str, browsers: Any, furnished: Any) -> None:
    """No inline script, style or handler: the policy would silently drop it."""
    name, arguments, _, _ = PAGES.get(which, (which, [], "", 0))
    answer = browsers.admin.get(address(name, arguments, furnished))
    text = answer.content.decode()

    assert "script-src 'self'" in answer["Content-Security-Policy"]
    assert " style=" not in text
    assert "<style" not in text
    assert " onclick" not in text
    assert text.count("<script") == text.count('<script type="module" src="/static/')


@pytest.mark.parametrize("which", PAGES)
def test_hostile_text_stays_text(which: str, browsers: Any, furnished: Any) -> None:
    """What hosts and callers send is shown as data."""
    name, arguments, _, _ = PAGES[which]

    assert "<script>alert" not in browsers.viewer.get(address(name, arguments, furnished)).content.decode()


def test_hostile_label_is_shown_whole(browsers: Any, furnished: Any) -> None:
    """Escaping does not lose it: the operator sees what the host says of itself."""
    assert (
        "note=&lt;script&gt;alert(1)" in browsers.viewer.get(reverse("host", args=["web-1"])).content.decode()
    )


@pytest.mark.parametrize("url", ["/hosts/nobody/", "/services/none/", "/shards/none/", "/nowhere/",
                                 "/decisions/00000000-0000-0000-0000-000000000000/"])  # fmt: skip
def test_what_is_gone_explains_itself(url: str, browsers: Any) -> None:
    """A link to what is no more gets 404 in the frame, with the way to the events."""
    answer = browsers.viewer.get(url)

    assert answer.status_code == 404
    assert "Nothing is here" in answer.content.decode()
    assert 'href="/events/"' in answer.content.decode()


def test_a_defect_is_a_page_without_the_frame(browsers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """500 renders although nothing of the request can be relied on."""
    from console.fleet import map_page

    def fail(*args: object) -> None:
        raise RuntimeError("defect")

    monkeypatch.setattr(map_page, "state_counts", fail)
    browsers.viewer.raise_request_exception = False
    answer = browsers.viewer.get("/")

    assert answer.status_code == 500
    assert "The console has a defect here" in answer.content.decode()


def test_navigation_leads_to_pages(browsers: Any) -> None:
    """Every place of the frame is a page under its own name, with its own key."""
    from console.pages.frame import PLACES

    assert [place.path for place in PLACES] == [reverse(place.name) for place in PLACES]
    assert len({place.key for place in PLACES}) == len(PLACES)
    with pytest.raises(NoReverseMatch):
        reverse("no-such-page")


def test_login_setup_and_logout(browsers: Any) -> None:
    """The one-time link makes the first administrator, closes, and its account logs in and out."""
    from console.accounts.actions.setup import IssueSetupLink
    from console.accounts.models import User
    from console.actions import SYSTEM

    User.objects.all().delete()
    url = reverse("setup", args=[IssueSetupLink().run(SYSTEM)])
    who = {"username": "ada", "password": "weigh-anchor-7341"}
    client = browsers.anonymous
    assert "first administrator" in client.get(url).content.decode()
    assert "too short" in client.post(url, {**who, "password": "short"}).content.decode()
    assert client.post(url, who)["Location"] == "/"
    assert client.get("/").status_code == 200
    assert client.get(url).status_code == 410
    assert reverse("login") == client.post(reverse("logout"))["Location"]
    assert (
        "correct username and password"
        in client.post(reverse("login"), {**who, "password": "x"}).content.decode()
    )
    assert client.post(reverse("login"), who)["Location"] == "/"
