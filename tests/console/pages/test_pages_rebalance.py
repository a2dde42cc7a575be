"""Rebalancing on pages: proposed before anything moves, applied by whoever may, and said when nothing has to move."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from console.storage.models import MovePlan, Replica


@pytest.fixture
def copied(furnished: Any) -> str:
    """The furnished cluster's shard is copied; the host of its first copy."""
    Replica.objects.update(state="ready")
    return str(Replica.objects.values_list("placement__host__name", flat=True)[0])


def test_a_proposal_is_shown_and_applied(browsers: Any, copied: str) -> None:
    """Its sentence, its moves, its limits; a viewer sees the button and why it is not for him."""
    answer = browsers.operator.post(reverse("rebalances"), {"drain": copied, "even": ""})
    plan = MovePlan.objects.get()
    url = reverse("rebalance", args=[plan.pk])
    assert answer["location"] == url
    page = browsers.viewer.get(url).content.decode()

    assert plan.sentence.split(",")[0] in page
    assert copied in page
    assert "Asks for the role operator" in page
    assert browsers.viewer.post(url + "apply/").status_code == 403
    browsers.operator.post(url + "apply/")
    plan.refresh_from_db()
    assert plan.state == "running"
    assert "Pause" in browsers.operator.get(url).content.decode()
    assert f'href="{url}"' in browsers.viewer.get(reverse("rebalances")).content.decode()


@pytest.mark.parametrize(
    "asked", [{"drain": "nobody"}, {"even": "x"}, {"even": "0.2"}, {"mb_s": "0"}, {"per_host": "nan"}]
)
def test_what_means_nothing_is_said_and_not_kept(browsers: Any, copied: str, asked: dict[str, str]) -> None:
    """The page says why."""
    answer = browsers.operator.post(reverse("rebalances"), asked, follow=True)

    assert "Not proposed" in answer.content.decode()
    assert not MovePlan.objects.exists()


def test_nothing_to_do_is_said(browsers: Any, copied: str) -> None:
    """A proposal of no moves says so."""
    answer = browsers.operator.post(reverse("rebalances"), {"even": ""}, follow=True)

    assert "Nothing has to move" in answer.content.decode()


def test_plans_that_are_not_there(browsers: Any) -> None:
    """404, for pages and for what can't be done."""
    assert browsers.viewer.get(reverse("rebalance", args=[99])).status_code == 404
    assert browsers.operator.post("/rebalances/99/apply/").status_code == 404
    assert browsers.operator.post("/rebalances/99/explode/").status_code == 404


def test_a_plan_that_has_ended_is_taken_back(browsers: Any, copied: str) -> None:
    """The button proposes another one, which says which; one that moved nothing says why not."""
    browsers.operator.post(reverse("rebalances"), {"drain": copied, "even": ""})
    plan = MovePlan.objects.get()
    url, undo = reverse("rebalance", args=[plan.pk]), reverse("undo-rebalance", args=[plan.pk])
    assert "Undo" not in browsers.operator.get(url).content.decode()
    assert "Not proposed" in browsers.operator.post(undo, follow=True).content.decode()
    MovePlan.objects.update(state="done")
    assert "It has moved nothing." in browsers.operator.get(url).content.decode()
    # As if it had been carried out: the copy lies where it was to go.
    move = plan.moves.get()
    plan.moves.update(state="done", source=move.target, target=move.source)

    page = browsers.operator.post(undo, follow=True).content.decode()

    assert f"plan {plan.pk}" in page
    assert browsers.viewer.post(undo).status_code == 403
    assert MovePlan.objects.get(undoes=plan).state == "proposed"
