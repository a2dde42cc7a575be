"""What evenness costs: seen beside a proposal before anything moves, and another aim proposed instead."""

from __future__ import annotations

import re
from html import unescape
from itertools import pairwise
from typing import Any

import pytest
from console_furnished import Browsers
from control_rig import GIB
from django.urls import reverse
from storage_uneven import heap

from console.actions import SYSTEM
from console.storage.actions.plans import ProposePlan
from console.storage.models import MovePlan


@pytest.fixture
def uneven(cluster: Any) -> Any:
    """Four hosts; eight equal shards all lie on the first."""
    heap(cluster)
    return cluster


def test_other_aims_stand_beside_the_plan(uneven: Any) -> None:
    """Fewest bytes first, each evener than the one before; the plan itself is one of them, as it is."""
    plan = ProposePlan(even=1.05, pool="p").run(SYSTEM)

    points = plan.frontier
    [own] = [point for point in points if point["chosen"]]
    assert (own["even"], own["moves"]) == (1.05, plan.moves.count())
    assert own["bytes"] == sum(move.shard.bytes for move in plan.moves.select_related("shard"))
    assert own["after"] == plan.after
    # Two at once of the fullest host's six share its rate, and headers count.
    assert own["takes_s"] == plan.takes_s == pytest.approx(plan.moves.count() * 5 * GIB / plan.bytes_s * 1.05)
    assert [None, 0] == [points[0]["even"], points[0]["moves"]]
    for less, more in pairwise(points):
        assert less["bytes"] < more["bytes"]
        assert less["after"]["disk"] > more["after"]["disk"]
    assert points[-1]["after"]["disk"] == pytest.approx(1.0)
    assert points[-1]["share"] == pytest.approx(6 / 8)


def test_where_nothing_moves_there_is_nothing_to_choose(cluster: Any) -> None:
    """No picture of a single point."""
    cluster.add("h0", disk=1e9)

    assert ProposePlan(even=1.05).run(SYSTEM).frontier == []


def test_another_aim_is_proposed_instead(browsers: Browsers, uneven: Any) -> None:
    """One button of the page asks for the same with the other aim; it is gone once the plan is no proposal."""
    asked = {"even": "1.05", "pool": "p", "drain": "h3", "mb_s": "7.5", "per_host": "3", "together": "5"}
    browsers.operator.post(reverse("rebalances"), asked)
    plan = MovePlan.objects.get()
    url = reverse("rebalance", args=[plan.pk])
    page = browsers.operator.get(url).content.decode()
    assert "What evenness costs" in page
    assert "Propose instead" not in browsers.viewer.get(url).content.decode()
    form = page.partition('<form method="post" action="/rebalances/">')[2].partition("</form>")[0]
    fields = {
        unescape(name): unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form)
    }
    assert fields.pop("csrfmiddlewaretoken")

    browsers.operator.post(reverse("rebalances"), fields)

    other = MovePlan.objects.get()
    assert other.asked == {"drain": ["h3"], "even": float(fields["even"]) if fields["even"] else None}
    assert other.asked["even"] != plan.asked["even"]
    for name in ("pool", "bytes_s", "per_host", "together", "full"):
        assert getattr(other, name) == getattr(plan, name), name
    browsers.operator.post(reverse("rebalance-action", args=[other.pk, "cancel"]))
    ended = browsers.operator.get(reverse("rebalance", args=[other.pk])).content.decode()
    assert "What evenness costs" in ended
    assert "Propose instead" not in ended


def test_programs_are_told_too(browsers: Browsers, uneven: Any) -> None:
    """With the proposal, and with each plan."""
    told = browsers.operator.post(
        "/api/v1/rebalances/", {"even": 1.1, "pool": "p"}, content_type="application/json"
    ).json()

    assert [point["chosen"] for point in told["frontier"]].count(True) == 1
    assert told["frontier"] == browsers.viewer.get(f"/api/v1/rebalances/{told['id']}/").json()["frontier"]
