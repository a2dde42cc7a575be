"""Hosts' pages: figures with their age, filters in the URL, and what may be done by whom."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from console.events.models import Event
from console.fleet.models import Host
from console.live.picture import SILENT_AFTER_S, picture


def act(client: Client, verb: str, host: str = "web-1", reason: str = "") -> Any:
    return client.post(reverse("host-action", args=[host, verb]), {"reason": reason}, follow=True)


def names(client: Client, **query: str) -> list[str]:
    answer = client.get(reverse("hosts"), query)
    return [seen.name for seen in answer.context["hosts"]]


def test_operator_cordons_with_a_reason(browsers: Any, furnished: Any) -> None:
    """The action runs, the event carries who, why, before and after, and the next page says it."""
    answer = act(browsers.operator, "cordon", reason="disk firmware")
    event = Event.objects.get(action="host.cordon")

    assert Host.objects.get(name="web-1").state == "cordoned"
    assert (event.actor, event.reason) == ("a-operator", "disk firmware")
    assert (event.before, event.after) == ({"state": "active"}, {"state": "cordoned"})
    assert "web-1 is cordoned" in answer.content.decode()


@pytest.mark.parametrize(("verb", "state"), [("cordon", "cordoned"), ("drain", "draining")])
def test_uncordon_takes_back(verb: str, state: str, browsers: Any, furnished: Any) -> None:
    """Cordon and drain are undone by uncordon."""
    act(browsers.operator, verb)
    assert state == Host.objects.get(name="web-1").state
    act(browsers.operator, "uncordon")

    assert Host.objects.get(name="web-1").state == "active"


@pytest.mark.parametrize("verb", ["cordon", "drain", "remove"])
def test_viewer_may_not_act(verb: str, browsers: Any, furnished: Any) -> None:
    """A viewer's POST is refused and nothing changes; their buttons are disabled with the reason."""
    before = Event.objects.count()
    assert act(browsers.viewer, verb).status_code == 403
    page = browsers.viewer.get(reverse("host", args=["web-1"])).content.decode()

    assert Host.objects.get(name="web-1").state == "active"
    assert before == Event.objects.count()
    assert page.count(" disabled aria-describedby") == 4
    assert "Asks for the role operator; you have the role viewer." in page


def test_actions_need_the_forms_secret(furnished: Any, user: Any) -> None:
    """A POST from elsewhere is refused, in words."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(user("operator"))
    answer = act(client, "drain")

    assert answer.status_code == 403
    assert "This form was not taken" in answer.content.decode()
    assert Host.objects.get(name="web-1").state == "active"


def test_state_forbids_with_its_reason(browsers: Any, furnished: Any) -> None:
    """What the state has no way for says so, and a POST of it changes nothing."""
    answer = act(browsers.operator, "uncordon")

    assert "Not done: web-1 is active" in answer.content.decode()
    assert "The host is active." in browsers.operator.get(reverse("host", args=["web-1"])).content.decode()


def test_host_in_use_is_not_removed_and_an_empty_one_is(browsers: Any, furnished: Any, cluster: Any) -> None:
    """Remove waits until nothing is on the host, then leads back to the list."""
    cluster.add("spare")
    refused = act(browsers.admin, "remove")
    answer = act(browsers.admin, "remove", host="spare")

    assert "Not done: web-1 still holds" in refused.content.decode()
    assert [(reverse("hosts"), 302)] == answer.redirect_chain
    assert not Host.objects.filter(name="spare").exists()


def test_drain_says_which_traffic_it_would_stop(browsers: Any, furnished: Any) -> None:
    """The last endpoint that takes requests is named before it is drained."""
    url = reverse("host", args=["web-1"])
    calm = browsers.operator.get(url).content.decode()
    act(browsers.operator, "drain", host="web-2")

    assert "draining stops that traffic" not in calm
    assert "No other endpoint takes new requests for shop" in browsers.operator.get(url).content.decode()


def test_filters_are_in_the_url(browsers: Any, furnished: Any) -> None:
    """State, label with and without a value, and text; together they narrow."""
    act(browsers.operator, "cordon", host="web-2")

    assert names(browsers.viewer) == ["db-1", "web-1", "web-2"]
    assert names(browsers.viewer, state="cordoned") == ["web-2"]
    assert names(browsers.viewer, label="zone=b") == ["db-1", "web-2"]
    assert names(browsers.viewer, label="note") == ["web-1"]
    assert names(browsers.viewer, q="WEB") == ["web-1", "web-2"]
    assert names(browsers.viewer, q="web", label="zone=b", state="active") == []
    assert names(browsers.viewer, q="\x00'\"%<") == []


def test_pages_of_fifty(browsers: Any, cluster: Any) -> None:
    """Never more than fifty rows; the neighbours keep the filters; nonsense is the first page."""
    from agents.wire import digest

    Host.objects.bulk_create(
        [Host(name=f"n-{n:03}", address="127.0.2.1", credential_digest=digest(f"n-{n}")) for n in range(120)]
    )
    client = browsers.viewer
    first = client.get(reverse("hosts"), {"q": "n-"})

    assert len(first.context["rows"]) == 50
    assert first.context["rows"].later == "?q=n-&page=2"
    assert len(names(client, q="n-", page="3")) == 20
    assert 50 == len(names(client, page="-1")) == len(names(client, page="x"))


def test_silent_host_is_unknown_not_green(browsers: Any, furnished: Any) -> None:
    """Older than three keepalives: state, bars and figures say unknown, the ledger's promises stay."""
    with picture._lock:
        picture.cluster.report("web-1", {"cpu": 2.0}, time.monotonic() - SILENT_AFTER_S - 1)
    page = browsers.viewer.get(reverse("host", args=["web-1"]))
    seen = page.context["seen"]

    assert seen.words == ["silent"]
    assert {None} == {bar.used for bar in seen.strip.bars}
    assert all(bar.reserved is not None for bar in seen.strip.bars)
    assert "cpu unknown used" in page.content.decode()
    assert names(browsers.viewer, state="silent") == ["web-1"]


def test_live_figures_and_history(browsers: Any, furnished: Any, cluster: Any) -> None:
    """The open page's JSON: exact amounts for people, shares for bars, the reports by age."""
    cluster.report("web-1", cpu=4.0)
    body = browsers.viewer.get(reverse("host-live", args=["web-1"])).json()

    assert body["lines"]["cpu"]["used"] == "4 cores"
    assert body["lines"]["cpu"]["parts"][0] == 0.5
    assert [used["cpu"] for _, used in body["history"]] == [0.25, 0.5]
    assert body["history"][0][0] >= body["history"][1][0] >= 0
    assert browsers.viewer.get(reverse("host-live", args=["nobody"])).status_code == 404
    assert browsers.anonymous.get(reverse("host-live", args=["web-1"])).status_code == 302


def test_token_is_shown_once_in_a_command(browsers: Any, cluster: Any) -> None:
    """POST gives the command with this console's address; the waiting line then learns which host used it."""
    from console.actions import Actor
    from console.fleet.actions.join import Join

    agent = Actor(kind="agent", name="web-9")
    answer = browsers.operator.post(reverse("add-host"), {"host_name": "web-9", "labels": "zone=a rack=a1"})
    commands = {way.name: way.command for way in answer.context["ways"]}
    command = commands["pipx"]
    token = command.split("--token ")[1].split()[0]
    waits = reverse("joined", args=[token.partition(".")[0]])

    assert set(commands) == {"run", "systemd", "container", "pipx"}
    assert all(f"--token {token}" in each for each in commands.values())
    assert "steelyard-agent join http://testserver --token " in command
    assert command.endswith("--name web-9 --label zone=a --label rack=a1")
    assert "no-store" in answer["Cache-Control"]
    assert browsers.operator.get(waits).json() == {"host": None}
    Join(token, cluster.hello("web-9")).run(agent)
    assert browsers.operator.get(waits).json() == {"host": "web-9"}


@pytest.mark.parametrize(
    ("field", "value"), [("host_name", "Not A Name"), ("labels", "a=$(reboot)"), ("labels", "zone")]
)
def test_nothing_unsafe_goes_into_the_command(field: str, value: str, browsers: Any) -> None:
    """A name or label that a shell might read as something else makes no token."""
    answer = browsers.operator.post(reverse("add-host"), {field: value})

    assert answer.status_code == 200
    assert "ways" not in answer.context
    assert answer.context["form"].errors[field]
