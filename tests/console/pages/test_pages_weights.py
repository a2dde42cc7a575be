"""Why these weights: endpoints beside each other with what was weighed, of now or unknown."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from console.fleet.models import Host
from console.live.picture import SILENT_AFTER_S, picture
from console.traffic import weights_page
from console.traffic.models import Endpoint, Service
from console.traffic.view import EndpointSeen, Seen, TrafficSeen
from console.traffic.weights_page import rows_of_service, sentence


def word(host: str, weight: int, share: float, health: str = "healthy", reason: str = "It is steady.") -> Any:
    return EndpointSeen(host, 8080, weight, share, share * 100, 0.0, 3, 10, health, reason)


def hear(monkeypatch: pytest.MonkeyPatch, *words: EndpointSeen, age_s: float = 0.4) -> Seen:
    said = Seen(TrafficSeen(epoch=7), age_s, {("shop", each.host, each.port): each for each in words})
    monkeypatch.setattr(weights_page, "seen", lambda: said)
    return said


def rows(said: Seen) -> list[weights_page.Row]:
    return rows_of_service(Service.objects.prefetch_related("endpoints__host__ledger").get(name="shop"), said)


def test_heaviest_first_with_its_lead_and_its_reason(
    browsers: Any, furnished: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shares asked and got, how far apart, and the law's own sentence."""
    hear(monkeypatch, word("web-1", 2500, 0.4), word("web-2", 7500, 0.6, reason="It has 6 of 8 cores free."))
    answer = browsers.viewer.get(reverse("weights", args=["shop"]))
    page = answer.content.decode()
    first, second = answer.context["rows"]

    assert (first.key, first.asked, first.got, first.apart) == ("web-2:8080", 0.75, 0.6, "15 points less")
    assert (second.key, second.apart) == ("web-1:8080", "15 points more")
    assert "web-2:8080 has the largest share, 75 %, 3.00 times that of web-1:8080." in page
    assert "It has 6 of 8 cores free." in page
    assert "by leader 7" in page


def test_what_gets_nothing_says_by_which_rule(furnished: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A drained endpoint or host asks for no share; an unhealthy one is crossed; a silent host too."""
    Endpoint.objects.filter(host__name="web-1").update(state="draining")
    rested = rows(hear(monkeypatch, word("web-1", 5000, 0.0), word("web-2", 5000, 1.0, "unhealthy")))
    ticks = {row.key: {rule: verdict for rule, verdict, _ in row.ticks} for row in rested}
    asked = {row.key: row.asked for row in rested}

    assert asked == {"web-2:8080": 0.0, "web-1:8080": 0.0}
    assert sentence(rested, False) == "No endpoint takes new requests."
    assert ticks["web-1:8080"] == {"wanted": "no", "host in use": "yes", "heard of": "yes", "well": "yes"}
    assert ticks["web-2:8080"]["well"] == "no"
    Host.objects.filter(name="web-2").update(state="draining")
    monkeypatch.setattr(picture, "age_s", lambda host: SILENT_AFTER_S + 1)
    later = rows(hear(monkeypatch, word("web-1", 5000, 0.0), word("web-2", 5000, 1.0)))
    of_web_2 = next(row for row in later if row.key == "web-2:8080")
    assert {rule: v for rule, v, _ in of_web_2.ticks}["host in use"] == "no"
    assert {rule: v for rule, v, _ in of_web_2.ticks}["heard of"] == "no"
    assert sentence(later, False) == "No endpoint takes new requests."


def test_old_word_is_no_weight(browsers: Any, furnished: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is shown as the present."""
    hear(monkeypatch, word("web-1", 2500, 0.4), word("web-2", 7500, 0.6), age_s=30.0)
    answer = browsers.viewer.get(reverse("weights", args=["shop"]))

    assert "no weight is known" in answer.content.decode()
    assert {row.weight for row in answer.context["rows"]} == {None}
    assert {v for row in answer.context["rows"] for rule, v, _ in row.ticks if rule == "well"} == {"unknown"}


def test_words_of_engines_stay_text(browsers: Any, furnished: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reasons and health are data."""
    hear(monkeypatch, word("web-1", 1, 1.0, "<b>ill</b>", "<script>alert(1)</script>"))
    page = browsers.viewer.get(reverse("weights", args=["shop"])).content.decode()

    assert "<script>alert" not in page
    assert "<b>ill" not in page


def test_service_without_others_says_so() -> None:
    """No endpoint, and only one that takes requests."""
    assert sentence([], False) == "There is no endpoint, so there is nothing to weigh."
