"""Many at once, by forms alone: chosen, shown first, done, each with its outcome, and taken back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from console_furnished import HOSTILE
from django.urls import reverse

from console.events.models import Event
from console.fleet.models import Host
from console.lists.models import BulkAct
from console.traffic.models import Endpoint

ENDPOINTS = ["shop/web-1:8080", "shop/web-2:8080"]


def ask(client: Any, action: str, *on: str, **more: str) -> Any:
    return client.post(reverse("bulk"), {"action": action, "on": on, **more})


def do(client: Any, action: str, *on: str, reason: str = "") -> Any:
    """As somebody sends it who has not looked."""
    return client.post(reverse("do-bulk"), {"action": action, "on": on, "reason": reason}, follow=True)


def confirm(client: Any, preview: Any, reason: str = "") -> Any:
    """Send the preview's form as it stands."""
    said = re.search(r'<input type="hidden" name="action" value="([^"]+)">', preview.content.decode())
    assert said is not None
    return do(client, said[1], *ticked(preview), reason=reason)


def states() -> dict[str, str]:
    return {each.key: each.state for each in Endpoint.objects.select_related("service", "host")}


def ticked(answer: Any) -> list[str]:
    """What the preview would do if it were confirmed as it stands."""
    boxes = re.findall(r'<input type="checkbox" name="on" value="([^"]*)"[^>]*>', answer.content.decode())
    tags = re.findall(r'<input type="checkbox" name="on"[^>]*>', answer.content.decode())
    return [box for box, tag in zip(boxes, tags, strict=True) if " checked" in tag]


def test_endpoints_are_drained_closed_and_brought_back(browsers: Any, furnished: Any) -> None:
    """Shown first and nothing changed; then one act with a reason; the undo brings each to its own state."""
    do(browsers.operator, "service.drain-endpoint", ENDPOINTS[1])
    preview = ask(browsers.operator, "service.close-endpoint", *ENDPOINTS)
    text = preview.content.decode()
    assert states() == {ENDPOINTS[0]: "active", ENDPOINTS[1]: "draining"}
    assert "<h1>Close 2 endpoints?</h1>" in text
    assert "2 would change" in text
    assert "this stops its traffic" in text, "the last one that takes requests"
    assert ticked(preview) == ENDPOINTS

    done = confirm(browsers.operator, preview, "new racks")
    act = BulkAct.objects.get(action="service.close-endpoint")
    assert set(states().values()) == {"closed"}
    assert "2 of 2 done" in done.content.decode()
    assert {event.reason for event in Event.objects.filter(act=act.pk)} == {"new racks"}
    assert (
        "Gets nothing because an operator closed it"
        in browsers.viewer.get(reverse("endpoints")).content.decode()
    )

    back = browsers.operator.post(reverse("undo-bulk", args=[act.pk]), follow=True)
    assert states() == {ENDPOINTS[0]: "active", ENDPOINTS[1]: "draining"}
    assert "It took back" in back.content.decode()
    assert "this was taken back already" in browsers.operator.get(done.redirect_chain[-1][0]).content.decode()


def test_the_audit_trail_leads_to_what_was_done_to_many(browsers: Any, furnished: Any) -> None:
    """Each of its events, and no other one."""
    do(browsers.operator, "host.cordon", "web-1", "web-2")
    act = BulkAct.objects.get()
    page = browsers.viewer.get(reverse("events")).content.decode()

    assert page.count(reverse("bulk-act", args=[act.pk])) == 2 == Event.objects.filter(act=act.pk).count()


def test_the_audit_trail_leads_from_a_placement_to_its_decision(browsers: Any, furnished: Any) -> None:
    """By the placement's identity, as the search finds it."""
    event = Event.objects.get(action="placement.place", after__load="report")
    page = browsers.viewer.get(reverse("events")).content.decode()
    link = f"{reverse('search')}?q={event.subject}"

    assert f'<a href="{link}">' in page
    assert browsers.viewer.get(link)["Location"] == reverse("decision", args=[furnished.placed])


def test_some_are_refused_and_the_others_done(browsers: Any, furnished: Any) -> None:
    """What can't be is said beforehand with its reason, is not ticked, and does not keep the others back."""
    Host.objects.filter(name="web-1").update(state="cordoned")
    preview = ask(browsers.operator, "host.cordon", "web-1", "web-2", "nobody")
    text = preview.content.decode()
    assert "1 would change; 2 would be refused" in text
    assert "no host is called like that" in text
    assert ticked(preview) == ["web-2"]

    done = do(browsers.operator, "host.cordon", "web-1", "web-2", "nobody").content.decode()
    assert Host.objects.get(name="web-2").state == "cordoned"
    assert "1 of 3 done; 2 refused" in done
    assert "no host is called like that" in done


def test_all_that_match_a_filter(browsers: Any, furnished: Any) -> None:
    """Not the page's rows but the filter says which; the way back is the list as it was filtered."""
    more = {"all": "1", "query": "state=active&q=web-2"}
    answer = ask(browsers.operator, "service.drain-endpoint", ENDPOINTS[0], **more)

    long = ask(browsers.operator, "service.drain-endpoint", all="1", query=f"x={'a' * 9000}&q=web-2")

    assert ticked(answer) == [ENDPOINTS[1]]
    assert ticked(long) == [ENDPOINTS[1]], "a filter that is cut would choose more"
    assert f'href="{reverse("endpoints")}?state=active&amp;q=web-2"' in answer.content.decode()


def test_more_than_one_act_takes_is_cut_and_said(
    browsers: Any, furnished: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first ones are shown, with a warning that the filter has more; too many by hand are refused."""
    monkeypatch.setattr("console.lists.bulk_page.MOST", 1)
    answer = ask(browsers.operator, "host.drain", all="1", query="")
    assert len(ticked(answer)) == 1
    assert "The filter has more than 1" in answer.content.decode()

    many = [f"h-{number}" for number in range(1001)]
    assert (
        "these are 1,001"
        in browsers.operator.get(ask(browsers.operator, "host.drain", *many).url).content.decode()
    )


def test_jobs_are_cancelled_and_said_to_stay_so(browsers: Any, furnished: Any) -> None:
    """Without a way back the page says so before and after; people read the task, not its identity alone."""
    job = str(furnished.job)
    preview = ask(browsers.operator, "job.cancel", job)
    text = preview.content.decode()
    done = confirm(browsers.operator, preview).content.decode()

    assert "<h1>Cancel 1 job?</h1>" in text
    assert f"demo.add {job[:8]}" in text
    assert "It can't be taken back: a cancelled job" in text
    assert "a cancelled job does not come back to life" in done
    assert 'disabled aria-describedby="no-undo"' in done


def test_a_placement_is_released(browsers: Any, furnished: Any) -> None:
    """From its list; the next look has it as released."""
    from console.placements.models import Placement

    placement = Placement.objects.get(decision=furnished.placed)
    assert "report on " in ask(browsers.operator, "placement.release", str(placement.pk)).content.decode()
    do(browsers.operator, "placement.release", str(placement.pk))
    placement.refresh_from_db()

    assert placement.state == "released"
    assert "report" in browsers.viewer.get(reverse("placements"), {"state": "released"}).content.decode()


def test_viewers_see_the_buttons_and_the_reason(browsers: Any, furnished: Any) -> None:
    """Disabled with the role that is asked for; what they send all the same changes nothing. Outcomes are for all."""
    for name in ("jobs", "placements", "endpoints"):
        text = browsers.viewer.get(reverse(name)).content.decode()
        assert ' disabled aria-describedby="no-bulk"' in text
        assert "Asks for the role operator; you have the role viewer." in text
        assert (
            ' disabled aria-describedby="no-bulk"'
            not in browsers.operator.get(reverse(name)).content.decode()
        )
    assert ask(browsers.viewer, "service.drain-endpoint", *ENDPOINTS).status_code == 403
    assert do(browsers.viewer, "service.drain-endpoint", *ENDPOINTS).status_code == 403
    assert set(states().values()) == {"active"}

    act = do(browsers.operator, "service.drain-endpoint", ENDPOINTS[0]).redirect_chain[-1][0]
    assert browsers.viewer.get(act).status_code == 200
    assert browsers.viewer.post(f"{act}undo/").status_code == 403
    assert act in browsers.viewer.get(reverse("bulk")).content.decode()


@pytest.mark.parametrize(
    ("action", "on"),
    [
        ("host.drain", [HOSTILE]),
        ("host.drain", ["../../x", "a/b", "\x00web-1\x00", "é" * 300]),
        (
            "service.drain-endpoint",
            [HOSTILE, "shop", "shop/web-1", "shop/:99999999", "/:", "shop/web-1:\uff18\uff10"],
        ),
        ("placement.release", [HOSTILE, "none"]),
    ],
)
def test_hostile_items_are_data(action: str, on: list[str], browsers: Any, furnished: Any) -> None:
    """They are shown as they are and refused, before and after; nothing fails on them."""
    for answer in (ask(browsers.operator, action, *on), do(browsers.operator, action, *on)):
        assert answer.status_code == 200
        assert "<script>alert" not in answer.content.decode()


def test_nothing_chosen_and_nothing_called_so(browsers: Any, furnished: Any) -> None:
    """Back to the list with a word; an action that is none is not found; doing and undoing are POSTs."""
    answer = browsers.operator.post(
        reverse("bulk"), {"action": "job.cancel", "query": "state=placed"}, follow=True
    )
    assert answer.redirect_chain == [(f"{reverse('jobs')}?state=placed", 302)]
    assert "nothing was chosen" in answer.content.decode()
    assert ask(browsers.operator, "host.remove", "web-1").status_code == 404
    assert browsers.operator.get(reverse("do-bulk")).status_code == 404
    assert not BulkAct.objects.exists()


@pytest.mark.parametrize("action", ["host.drain", "service.drain-endpoint", "job.cancel"])
def test_a_preview_asks_no_more_for_more_rows(
    action: str, browsers: Any, furnished: Any, django_assert_max_num_queries: Any
) -> None:
    """Two hundred cost as many queries as one: session, user, preferences, the things, their warnings."""
    items = [f"no/such-{number}:80" for number in range(200)]
    ask(browsers.operator, action, items[0])
    with django_assert_max_num_queries(6):
        assert ask(browsers.operator, action, *items).status_code == 200


def test_placements_lead_to_what_they_are_for(browsers: Any, furnished: Any) -> None:
    """Each row to its host, its decision and its job, shard or service; hosts and jobs lead back."""
    text = browsers.viewer.get(reverse("placements")).content.decode()

    assert f'href="{reverse("decision", args=[furnished.placed])}"' in text
    assert f'href="{reverse("job", args=[furnished.job])}"' in text
    assert f'href="{reverse("shard", args=["photos"])}"' in text
    assert (
        f'href="{reverse("placements")}?host=web-1"' in browsers.viewer.get("/hosts/web-1/").content.decode()
    )
    assert (
        f'href="{reverse("endpoints")}?host=web-1"' in browsers.viewer.get("/hosts/web-1/").content.decode()
    )
    assert (
        f'href="{reverse("endpoints")}?service=shop"'
        in browsers.viewer.get("/services/shop/").content.decode()
    )


def test_a_host_that_drains_drains_its_endpoints_in_the_list(browsers: Any, furnished: Any) -> None:
    """The state is what the engines are told: the host's drain counts, and the filter finds it."""
    do(browsers.operator, "host.drain", "web-1")

    def listed(state: str) -> list[str]:
        answer = browsers.viewer.get(reverse("endpoints"), {"state": state})
        return (
            [endpoint.host.name for endpoint, _ in answer.context["endpoints"]]
            if answer.context["rows"].items
            else []
        )

    assert (listed("draining"), listed("active"), listed("closed")) == (["web-1"], ["web-2"], [])
    assert "with its host" in browsers.viewer.get(reverse("endpoints")).content.decode()
