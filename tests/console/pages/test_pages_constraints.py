"""What a decision's page says of constraints, of loads that were placed together, and of what could leave."""

from __future__ import annotations

import html
from typing import Any

import pytest
from django.urls import reverse

from balancer_core.constraints import Company, Preference, Spread
from balancer_core.placement import Load
from console.actions import SYSTEM
from console.placements.actions.commit import FitsNowhere
from console.placements.actions.place import Place
from console.placements.actions.together import PlaceGang, PlaceReplicas
from console.placements.models import Decision
from console.placements.shown import asked_in_words, candidates_of

HOSTILE = "<script>alert(1)</script>\"'&"


def page_of(browsers: Any, decision: Any) -> str:
    """The page's text as a reader has it."""
    answer = browsers.viewer.get(reverse("decision", args=[decision]))
    assert answer.status_code == 200
    assert "<script>alert" not in answer.content.decode()
    return html.unescape(answer.content.decode())


@pytest.fixture
def zones(cluster: Any) -> Any:
    cluster.add("a1", {"zone": "a"}, cpu=4.0)
    cluster.add("b1", {"zone": "b"}, cpu=4.0)
    return cluster


def test_all_that_was_asked_is_said(browsers: Any, zones: Any) -> None:
    """Every rule and wish with the counts that it was judged by, and what a wish that is not met cost."""
    Place(Load("service", "db", {"cpu": 0.1}, group=HOSTILE, pin_hosts=frozenset({"b1"}))).run(SYSTEM)
    load = Load(
        "job", "asks", {"cpu": 1.0}, labels={"zone": "a"}, exclude_hosts=frozenset({"x1", "x2"}),
        spread=(Spread("zone", {"b": 2}, max_per_domain=3, max_skew=9),), options={"weights": {"cpu": 2.0}},
        pin_hosts=frozenset({"a1", "b1"}), near=(Company(HOSTILE, {}, "zone", 0.75),),
        apart=(Company(HOSTILE, {}),), prefer=(Preference("zone", "c", 1.5),), group="g", priority=1200,
    )  # fmt: skip

    said = page_of(browsers, Place(load).run(SYSTEM).decision_id)

    for words in (
        "<dt>Priority</dt><dd>1,200", "<dt>Labels</dt><dd>zone=a", "<dt>Only on</dt><dd>a1, b1",
        "<dt>Not on</dt><dd>x1, x2", "<dt>Prefers</dt><dd>zone c; others are charged 1.5",
        "Spread over zone</dt><dd>at most 3 in each, at most 9 more than in the emptiest; then held: b 2",
        f"<dt>Near to {HOSTILE}</dt><dd>by zone, if not, charged 0.75; then held: b 1",
        f"<dt>Apart from {HOSTILE}</dt><dd>by host, must; then held: b1 1",
        "<dt>Options</dt><dd>weights=cpu=2", '<dt>Group</dt><dd><a href="/decisions/?group=g">g',
        "not met: zone c", "not met: near to",
    ):  # fmt: skip
        assert words in said, words


def test_a_plain_load_asks_for_nothing_more(browsers: Any, zones: Any) -> None:
    """No empty rows, no panels about nothing."""
    said = page_of(browsers, Place(Load("job", "plain", {"cpu": 1.0})).run(SYSTEM).decision_id)

    for words in ("Priority", "Only on", "Spread over", "Placed together", "What could leave", "not met"):
        assert words not in said


def test_wishes_are_part_of_the_bar() -> None:
    """What a wish costs has its segment behind the resources', on the same scale."""
    term = {"resource": "cpu", "before": 0.1, "after": 0.2, "cost": 1.0}
    document = {"host": "a", "candidates": [
        {"host": "a", "total": 1.0, "margin": 0.0, "terms": [term]},
        {"host": "b", "total": 4.0, "margin": 3.0, "terms": [{**term, "forecast": 0.25}],
         "unmet": [{"preference": "p", "cost": 3.0}]},
    ]}  # fmt: skip

    first, second = candidates_of(document)

    assert (first.missed, first.parts[0].width) == ([], 25.0)
    assert [first.parts[0].forecast, second.parts[0].forecast] == [0.0, 0.25]
    assert [(miss.start, miss.width) for miss in second.missed] == [(25.0, 75.0)]


def test_what_was_placed_together_is_linked(
    browsers: Any, zones: Any, django_assert_max_num_queries: Any
) -> None:
    """Each decision of a set leads to the others, the refused one too, with one query for all."""
    placed = PlaceReplicas(Load("service", "web", {"cpu": 3.0}), 3).run(SYSTEM)
    assert placed.refused is not None
    ids = [each.decision_id for each in placed.placements] + [placed.refused.pk]

    with django_assert_max_num_queries(7):
        said = page_of(browsers, ids[0])

    assert "Placed together" in said
    assert all(f'href="/decisions/{key}/"' in said for key in ids[1:])
    assert "web-3" in said
    listed = browsers.viewer.get(reverse("decisions"), {"together": str(placed.id)}).context["rows"]
    assert {each.pk for each in listed} == set(ids)
    assert len(browsers.viewer.get(reverse("decisions"), {"together": "nonsense"}).context["rows"]) == 0


def test_of_a_large_set_the_rest_is_in_the_list(browsers: Any, zones: Any) -> None:
    """The page links fifty and says where all are."""
    placed = PlaceGang([Load("job", f"j{n}", {"cpu": 0.01}) for n in range(60)]).run(SYSTEM)

    said = page_of(browsers, placed.placements[0].decision_id)

    assert f"/decisions/?together={placed.id}" in said
    assert said.count('<a class="clip" href="/decisions/') in (49, 50)


def test_a_refusal_shows_what_could_leave(browsers: Any, zones: Any) -> None:
    """Hosts, loads with their priorities, and that nothing has moved; each load leads to its decision."""
    low = [Place(Load("job", f"low-{n}", {"cpu": 4.0}, priority=n)).run(SYSTEM) for n in range(2)]
    with pytest.raises(FitsNowhere) as refused:
        Place(Load("job", "urgent", {"cpu": 2.0}, priority=5)).run(SYSTEM)

    said = page_of(browsers, refused.value.decision_id)

    assert "What could leave for it" in said
    assert "would fit on" in said
    for each in low:
        assert each.name in said
        link = f"/search/?q={each.pk}"
        assert link in said
        assert browsers.viewer.get(link)["Location"] == f"/decisions/{each.decision_id}/"


def test_decisions_are_filtered_by_group(browsers: Any, zones: Any) -> None:
    """Placed and refused ones, whatever the group is called; the list names it."""
    for group in ("web", HOSTILE):
        Place(Load("job", "in", {"cpu": 1.0}, group=group)).run(SYSTEM)
        with pytest.raises(FitsNowhere):
            Place(Load("job", "out", {"cpu": 99.0}, group=group)).run(SYSTEM)

    for group in ("web", HOSTILE):
        answer = browsers.viewer.get(reverse("decisions"), {"group": group})
        assert [(each.name, each.group) for each in answer.context["rows"]] == [("out", group), ("in", group)]
        assert group in html.unescape(answer.content.decode())
        assert "<script>alert" not in answer.content.decode()
    assert Decision.objects.count() == 4


def test_nothing_asked_is_no_line() -> None:
    """Of decisions that were kept before constraints were."""
    assert asked_in_words(None) == []
    more = asked_in_words({"pin_hosts": ["a"], "pin_hosts_more": 1900})
    assert more == [("Only on", "a and 1,900 more")]
