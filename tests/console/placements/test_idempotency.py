"""A caller's own key makes a request safe to repeat."""

from __future__ import annotations

from typing import Any

import pytest
from console_racing import at_once

from balancer_core.placement import Load
from console.actions import SYSTEM, Conflict
from console.placements.actions.place import Place
from console.placements.models import Placement

LOAD = Load(kind="job", name="j", demand={"cpu": 1.0})


def test_the_same_key_gives_the_same_placement(cluster: Any) -> None:
    """A repeat reserves nothing more."""
    cluster.add("web-1")

    first, second = (Place(LOAD, request_key="k").run(SYSTEM) for _ in range(2))

    assert first.pk == second.pk
    assert cluster.reserved("web-1") == 1.0


def test_the_same_key_at_once_gives_the_same_placement(cluster: Any) -> None:
    """Of several at once, one is placed and the others are told where."""
    cluster.add("web-1")

    results = at_once(*(lambda: Place(LOAD, request_key="k").run(SYSTEM) for _ in range(6)))

    assert {Placement.objects.get().pk} == {getattr(each, "pk", each) for each in results}
    assert cluster.reserved("web-1") == 1.0


def test_a_key_that_was_used_for_another_load_is_a_conflict(cluster: Any) -> None:
    """Answering with the other load's host would be a lie."""
    cluster.add("web-1")
    Place(LOAD, request_key="k").run(SYSTEM)

    with pytest.raises(Conflict, match="another load"):
        Place(Load(kind="job", name="j", demand={"cpu": 2.0}), request_key="k").run(SYSTEM)


def test_the_key_comes_as_a_header(api: Any, cluster: Any) -> None:
    """Over REST it is Idempotency-Key, for one load at a time."""
    cluster.add("web-1")
    body = {"kind": "job", "name": "j", "demand": {"cpu": 1}}
    url = "/api/v1/placements/"

    answers = [api.operator.post(url, body, headers={"Idempotency-Key": "k"}) for _ in range(2)]

    assert answers[0].json()["id"] == answers[1].json()["id"]
    for wrong in ("k" * 129, "k\u00e9"):
        refused = api.operator.post(url, body, headers={"Idempotency-Key": wrong})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "Idempotency-Key")
    listed = api.operator.post(url, [body], headers={"Idempotency-Key": "k"})
    assert (listed.status_code, listed.json()["errors"][0]["code"]) == (400, "not-for-lists")
