"""The tables of what can become of things."""

from __future__ import annotations

import pytest

from balancer_core.lifecycle import (
    CONTACT,
    HOST,
    JOB,
    REPLICA,
    TABLES,
    InvalidTransition,
    Table,
    advance,
    is_final,
)


@pytest.mark.parametrize(
    ("table", "start", "events", "end"),
    [
        (HOST, "active", ["cordon", "drain", "uncordon", "remove"], "removed"),
        (CONTACT, "heard", ["silent", "reported"], "heard"),
        (JOB, "queued", ["place", "dispatch", "claim", "succeed"], "succeeded"),
        (JOB, "queued", ["place", "dispatch", "claim", "lose", "place", "claim"], "running"),
        (REPLICA, "reserved", ["copy", "retry", "copy", "verify", "remove"], "removed"),
    ],
)
def test_a_life_goes_through_its_states(table: Table, start: str, events: list[str], end: str) -> None:
    """Events in their order lead from the first state to the last."""
    state = start
    for event in events:
        state = advance(table, state, event)
    assert end == state


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_every_state_is_reachable_and_every_way_leads_to_one(table: Table) -> None:
    """No way leads out of the table, and no state but the first is without a way in."""
    reached = {next(iter(table))}
    for _ in table:
        reached |= {after for state in reached for after in table[state].values()}
    assert set(table) == reached


def test_final_states_are_those_without_a_way_out() -> None:
    """A job ends in one of three ways."""
    assert [state for state in JOB if is_final(JOB, state)] == ["succeeded", "failed", "cancelled"]


def test_an_event_twice_is_refused_the_second_time() -> None:
    """Two who claim the same job cannot both succeed; the error says what is possible."""
    state = advance(JOB, "dispatched", "claim")
    with pytest.raises(InvalidTransition, match="possible: succeed, fail, retry, lose, preempt, set_aside"):
        advance(JOB, state, "claim")
    with pytest.raises(InvalidTransition, match="final"):
        advance(JOB, "succeeded", "fail")
