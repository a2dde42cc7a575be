"""What other weights would come to, on services small enough to check by hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.traffic.outlook import Outcome, Part, outcome


def part(key: str, learnt: int = 100, percent: int = 100, **more: Any) -> Part:
    return Part(key, percent, learnt, more.pop("capacity_per_s", None), more.pop("takes", True), **more)


def shares(found: Outcome) -> dict[str, float]:
    return {each.key: each.share for each in found.outlooks}


def test_percent_multiplies_what_is_learnt() -> None:
    """300 at 50 % beside 100 is three to two; shares before are the present ones."""
    found = outcome([part("a", 300), part("b")], {"a": 50}, 10.0)

    assert shares(found) == {"a": 0.6, "b": 0.4}
    assert [each.share_before for each in found.outlooks] == [0.75, 0.25]
    assert found.objections == ()


def test_who_cannot_carry_more_is_named_with_figures() -> None:
    """b would get 90 of the 95 it could serve; the one that is relieved is not asked, however full."""
    parts = [part("a", capacity_per_s=20.0), part("b", capacity_per_s=95.0)]
    found = outcome(parts, {"a": 11}, 100.0)

    assert found.objections == ("b could not carry it: it would get 90 requests/s, and could serve 95.",)
    assert outcome(parts, {"b": 90}, 20.0).objections == ()


def test_nobody_left_is_objected_to_even_without_requests() -> None:
    """All at 0, or all others drained."""
    assert outcome([part("a"), part("b")], {"a": 0, "b": 0}, 0.0).objections
    assert outcome([part("a"), part("b", takes=False)], {"a": 0}, 0.0).objections
    assert not outcome([part("a"), part("b")], {"a": 0}, 0.0).objections


def test_a_later_priority_waits_until_the_earlier_one_is_empty() -> None:
    """It gets nothing beside it, and all where nobody of it is left."""
    parts = [part("a"), part("spare", priority=1)]

    assert shares(outcome(parts, {}, 1.0)) == {"a": 1.0, "spare": 0.0}
    assert shares(outcome(parts, {"a": 0}, 1.0)) == {"a": 0.0, "spare": 1.0}


def test_what_is_not_learnt_is_said_and_not_refused() -> None:
    """Only where requests come: an idle service has nothing to carry."""
    busy = outcome([part("a"), part("b")], {"a": 10}, 50.0)

    assert busy.objections == ()
    assert "What b could serve is not learnt yet" in busy.notes[0]
    assert outcome([part("a"), part("b")], {"a": 10}, 0.0).notes == ()


@given(
    st.lists(
        st.builds(
            part,
            key=st.uuids().map(str),
            learnt=st.integers(1, 10_000),
            percent=st.integers(0, 100),
            takes=st.booleans(),
            priority=st.integers(0, 2),
        ),
        max_size=8,
    ),
    st.integers(0, 100),
)
def test_shares_are_whole_or_nothing(parts: list[Part], percent: int) -> None:
    """Together 1, or 0 with an objection."""
    found = outcome(parts, {part.key: percent for part in parts[:3]}, 100.0)
    total = sum(shares(found).values())

    assert total == pytest.approx(
        0.0 if found.objections[:1] == ("No endpoint would take new requests.",) else 1.0
    )
