"""The decision's page: rule by rule, the nearest loser, the request again, and what it says when it is gone."""

from __future__ import annotations

import json
import shlex
import uuid
from typing import Any

import pytest
from django.urls import reverse

from balancer_core.filters import FILTERS
from balancer_core.placement import Company, Load, Preference, Spread
from console.actions import SYSTEM
from console.cli.constraints import company, options, preferences, spreads
from console.cli.options import amounts, pairs
from console.placements.actions.place import Place
from console.placements.again import again
from console.placements.models import Decision
from console.placements.nearest import nearest_loser
from console.placements.shown import candidates_of
from console.placements.ticks import judged, rules_of

URL = "http://console/api/v1/placements/"
LOAD = Load(
    "service",
    "shop/1",
    {"cpu": 0.25, "memory": 2.0**30},
    labels={"zone": "b"},
    pin_hosts=frozenset({"web-2", "db-1"}),
    exclude_hosts=frozenset({"web-1"}),
    group="shop",
    priority=-3,
    tenant="it's us",
    near=(Company("nobody", {}, "zone", 0.5),),
    apart=(Company("others", {}),),
    prefer=(Preference("zone", "b", 2.0),),
    spread=(Spread("host", {}, max_skew=2),),
    options={"weights": {"cpu": 2.0}},
)


def placed(load: Load) -> Decision:
    return Decision.objects.get(pk=Place(load).run(SYSTEM).decision_id)


def candidate(host: str, **costs: float) -> dict[str, Any]:
    terms = [{"resource": name, "before": 0.1, "after": 0.2, "cost": cost} for name, cost in costs.items()]
    return {"host": host, "total": sum(costs.values()), "margin": 0.0, "terms": terms}


def test_what_later_rules_object_is_a_cross_as_well() -> None:
    """The first no is the reason; the later ones say what would have stood in the way too."""
    document = {
        "rejections": [
            {
                "host": "b",
                "code": "cordoned",
                "reason": "It is cordoned.",
                "also": [{"code": "no_room", "reason": "cpu: 4 asked, 2 free of 8."}],
            }
        ]
    }
    (row,) = judged(document, None, 10)
    ticks = {rule: (verdict, words) for rule, verdict, words in row.ticks}
    assert (row.code, row.reason) == ("cordoned", "It is cordoned.")
    assert ticks["healthy"][0] == "yes"
    assert ticks["schedulable"] == ("no", "turned it away")
    assert ticks["fits"] == ("no", "would have turned it away too: cpu: 4 asked, 2 free of 8.")
    assert {verdict for verdict, _ in ticks.values()} == {"yes", "no", "idle"}


def test_a_rule_that_was_not_asked_after_the_first_no_claims_nothing() -> None:
    """Of decisions of old: ticks before the first no, a cross at it, and after it neither."""
    document = {
        "host": "a",
        "candidates": [candidate("a", cpu=1.0)],
        "rejected": {"cordoned": 1, "missing_label": 4, "no_room": 2},
        "rejections": [
            {"host": "b", "code": "cordoned", "reason": "It is cordoned."},
            {"host": "c", "code": "no_room", "reason": "No room."},
        ],
    }
    chosen, early, late = judged(document, None, 10)
    ticks = {row.host: {rule: verdict for rule, verdict, _ in row.ticks} for row in (chosen, early, late)}
    order = list(FILTERS)
    after = order[order.index("schedulable") + 1 :]

    assert chosen.chosen
    assert ticks["a"] == {
        name: "yes" if name in ("healthy", "schedulable", "fits") else "idle" for name in order
    }
    assert ticks["b"]["healthy"] == "yes"
    assert ticks["b"]["schedulable"] == "no"
    assert {ticks["b"][name] for name in after} == {"unasked"}
    assert ticks["c"]["fits"] == "no"
    assert "unasked" not in ticks["c"].values()
    assert {rule.name: rule.turned_away for rule in rules_of(document)}["fits"] == 2


def test_room_that_was_taken_meanwhile_is_no_rules_no() -> None:
    """Every rule let the host pass; it stands once, as turned away. A code of no rule claims nothing."""
    document = {
        "host": None,
        "candidates": [candidate("a", cpu=1.0)],
        "rejections": [{"host": "a", "code": "taken", "reason": "taken"}, {"host": "b", "code": "old", "reason": "?"}],
    }  # fmt: skip
    rows = judged(document, {"labels": {"zone": "a"}}, 10)

    assert [row.host for row in rows] == ["a", "b"]
    assert "no" not in {verdict for _, verdict, _ in rows[0].ticks}
    assert {rule: verdict for rule, verdict, _ in rows[0].ticks}["labels"] == "yes"
    assert {verdict for _, verdict, _ in rows[1].ticks} == {"unknown"}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"host": None, "candidates": []}, ""),
        (
            {"host": "a", "candidates": [candidate("a", cpu=1.0)]},
            "No other host could take it, so there is no nearest loser.",
        ),
        (
            {"host": "a", "candidates": [candidate("a", cpu=1.0), candidate("b", cpu=1.0)]},
            "Nearest loser: b, which costs the same; a joined earlier.",
        ),
        (
            {
                "host": "a",
                "candidates": [candidate("a", cpu=1.0, disk=1.0), candidate("b", cpu=2.5, disk=0.5)],
            },
            "Nearest loser: b, by 1.00 (50 % more): cpu costs 1.50 more there, disk costs 0.50 less there.",
        ),
        (
            {"host": "b", "candidates": [candidate("a", cpu=1.0), candidate("b", cpu=1.25)]},
            "Nearest loser: a, which would have cost 0.25 less; its room was taken while this was decided.",
        ),
        (
            {
                "host": "b",
                "candidates": [candidate("a", cpu=1.0), candidate("b", cpu=1.25)],
                "batch": "of 2",
            },
            (
                "Nearest loser: a, which would have cost 0.25 less; "
                "it lost for the sake of the others that were decided together."
            ),
        ),
    ],
)
def test_nearest_loser_in_a_sentence(document: dict[str, Any], expected: str) -> None:
    """By how much it lost and through what; where it would have been cheaper, why it lost all the same."""
    assert expected == nearest_loser(document, candidates_of(document))


def test_request_is_the_same_when_it_is_asked_again(furnished: Any, api: Any) -> None:
    """The JSON of the page, sent to the API, is decided with the same questions."""
    first = placed(LOAD)
    answer = api.operator.post("/api/v1/placements/", again(first, URL).body, content_type="application/json")
    second = Decision.objects.get(pk=answer.json()["decision"])

    def questions(decision: Decision) -> dict[str, Any]:
        kept = dict(decision.asked)
        # Counted anew: the first is one of the group by now.
        kept["spread"] = [{**each, "taken": {}} for each in kept["spread"]]
        return kept

    assert answer.status_code == 201
    assert questions(first) == questions(second)
    assert first.document["demand"] == second.document["demand"]
    assert first.policy == second.policy


def test_command_means_the_same_as_the_json(furnished: Any) -> None:
    """Its words, read as the command line reads them, are the request's fields."""
    made = again(placed(LOAD), URL)
    request, words = json.loads(made.body), shlex.split(made.command)
    said: dict[str, list[str]] = {}
    for option, value in zip(words[4::2], words[5::2], strict=True):
        said.setdefault(option, []).append(value)

    assert words[:4] == ["steelyard", "place", "service", "shop/1"]
    assert amounts(said["--demand"]) == request["demand"]
    assert pairs(said["--label"], "--label") == request["labels"]
    assert company(said["--near"], "--near") == request["near"]
    assert company(said["--apart"], "--apart") == request["apart"]
    assert preferences(said["--prefer"]) == request["prefer"]
    assert spreads(said["--spread"]) == request["spread"]
    assert options(said["--option"]) == request["options"]
    assert (said["--pin"], said["--exclude"]) == (request["pin_hosts"], request["exclude_hosts"])
    assert (said["--tenant"], said["--priority"]) == (["it's us"], ["-3"])


def test_request_that_was_cut_is_not_shown_as_if_whole(furnished: Any) -> None:
    """More names than a decision keeps: the reason stands where the request would."""
    found = placed(Load("job", "many", {"cpu": 0.1}, exclude_hosts=frozenset(f"h{n}" for n in range(101))))
    made = again(found, URL)

    assert made.why_not == "Of exclude_hosts more was asked than a decision keeps."
    assert (made.body, made.curl, made.command) == ("", "", "")


@pytest.mark.parametrize(
    ("constraints", "why"),
    [
        ({"spread": (Spread("zone", {"a": 1}, max_skew=3),)}, "counts of its own"),
        ({"spread": (Spread("zone", {}, max_per_domain=2),)}, "number in one domain"),
        ({"apart": (Company("a:b", {}),)}, "a colon"),
    ],
)
def test_what_the_command_cannot_say_is_left_to_json(
    constraints: dict[str, Any], why: str, furnished: Any
) -> None:
    """No command that would ask for something else; the JSON and the call are there."""
    made = again(placed(Load("service", "odd", {"cpu": 0.1}, **constraints)), URL)

    assert why in made.no_command
    assert made.command == ""
    assert json.loads(made.body)["name"] == "odd"
    assert URL in made.curl


def test_page_shows_ticks_request_and_links(browsers: Any, furnished: Any) -> None:
    """The matrix, the nearest loser, the request, and the ways to events, job and shard."""
    page = browsers.viewer.get(reverse("decision", args=[furnished.placed])).content.decode()
    shard = Decision.objects.filter(kind="shard").first()
    of_shard = browsers.viewer.get(reverse("decision", args=[shard.pk])).content.decode()

    for said in ("Rule by rule", "Nearest loser: ", "steelyard place job report", "subject_kind=placement"):
        assert said in page
    assert 'class="tick yes"' in page
    assert 'href="/shards/photos/"' in of_shard
    assert "subject_kind=shard&amp;subject=photos" in of_shard


def test_hostile_words_of_a_request_stay_text(browsers: Any, furnished: Any) -> None:
    """What callers wrote is quoted for the shell and escaped for the page."""
    hostile = '<script>alert(1)</script>\'; rm -rf "$HOME" #'
    found = placed(Load("job", "quiet", {"cpu": 0.1}, tenant=hostile))
    page = browsers.viewer.get(reverse("decision", args=[found.pk])).content.decode()

    assert "<script>alert" not in page
    assert hostile in shlex.split(again(found, URL).command)


def test_a_decision_that_is_gone_says_how_long_they_are_kept(browsers: Any) -> None:
    """404 of its own, with the way to the events of that identity."""
    identity = uuid.uuid4()
    answer = browsers.viewer.get(reverse("decision", args=[identity]))
    page = answer.content.decode()

    assert answer.status_code == 404
    assert "30 days" in page
    assert f"/events/?subject={identity}" in page
