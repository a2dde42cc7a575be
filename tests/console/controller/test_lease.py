"""Leadership: never two at once, taken over after a silence, fenced by a rising epoch."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.controller.lease import TTL_S, Candidate, Fenced, fenced
from console.controller.models import Lease
from console.events.models import Outbox


def test_the_first_leads_and_the_second_waits_out_a_silence(database: None) -> None:
    """A standby takes over only after TTL_S of its own clock without a renewal."""
    a, b = Candidate("a"), Candidate("b")

    assert a.campaign(0.0)
    assert not b.campaign(1000.0)  # its own clock, which nobody compares
    assert a.campaign(1.5)
    assert not b.campaign(1000.0 + TTL_S)  # the row moved: the wait begins again
    assert not b.campaign(1000.0 + 2 * TTL_S - 0.1)
    assert not a.leads(1.5 + TTL_S * 2 / 3)
    assert b.campaign(1000.0 + 2 * TTL_S)

    assert (a.epoch, b.epoch) == (1, 2)
    assert not a.campaign(1.5 + 2 * TTL_S)
    assert a.epoch == 0


def test_who_resigns_is_followed_at_once(database: None) -> None:
    """The epoch rises all the same."""
    a, b = Candidate("a"), Candidate("b")
    a.campaign(0.0)
    b.campaign(0.0)

    a.resign()

    assert b.campaign(0.1)
    assert b.epoch == 2
    assert not a.leads(0.1)


def test_a_holder_that_was_paused_cannot_resign_for_its_successor(database: None) -> None:
    """Waking up late, it gives up nothing that is not its own."""
    a, b = Candidate("a"), Candidate("b")
    a.campaign(0.0)
    b.campaign(0.0)
    b.campaign(TTL_S)

    a.resign()

    assert Lease.objects.get().holder == "b"


@given(steps=st.lists(st.tuples(st.integers(0, 2), st.floats(0.0, 5.0), st.booleans()), max_size=40))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_two_never_lead_at_once(database: None, steps: list[tuple[int, float, bool]]) -> None:
    """Whoever campaigns, sleeps or resigns when: at most one may act, and epochs only rise."""
    Lease.objects.all().delete()
    candidates = [Candidate(name) for name in "abc"]
    now, epochs = 0.0, [0]
    for who, pause, resigns in steps:
        now += pause
        if resigns:
            candidates[who].resign()
        else:
            candidates[who].campaign(now)
        leading = [each for each in candidates if each.leads(now)]
        assert len(leading) <= 1
        if leading:
            assert leading[0].epoch >= epochs[-1]
            epochs.append(leading[0].epoch)


def test_a_stale_epoch_writes_nothing(database: None) -> None:
    """Fenced before the first statement; and by a take-over in the middle, with all that was written."""
    a, b = Candidate("a"), Candidate("b")
    a.campaign(0.0)
    with fenced(1):
        Outbox.objects.create(topic="kept", payload={})
    b.campaign(0.0)
    b.campaign(TTL_S)

    with pytest.raises(Fenced), fenced(1):
        Outbox.objects.create(topic="stale", payload={})

    assert list(Outbox.objects.values_list("topic", flat=True)) == ["kept"]


def test_an_error_inside_rolls_back(database: None) -> None:
    """What was written before it is gone."""
    Candidate("a").campaign(0.0)

    with pytest.raises(RuntimeError), fenced(1):
        Outbox.objects.create(topic="half", payload={})
        raise RuntimeError("as if killed here")

    assert not Outbox.objects.exists()


def test_bells_of_a_fenced_action_wait_for_the_commit(cluster: Any) -> None:
    """What follows an action happens only when the caller's transaction is durable."""
    from console.actions import SYSTEM
    from console.jobs.actions.place import PlaceWaiting
    from console.jobs.actions.submit import Submit
    from console.live.picture import picture

    Submit("demo.add", demand={"cpu": 1.0}).run(SYSTEM)
    cluster.add("web-1")
    Candidate("a").campaign(0.0)

    with pytest.raises(RuntimeError), fenced(1):
        assert PlaceWaiting().run(SYSTEM).placed
        raise RuntimeError("as if killed here")

    assert picture.view()[0].reserved.sum() == 0.0
    assert cluster.reserved("web-1") == 0.0
