"""Automatic mode: begins after its hold time, with its reason; does not flap; takes no person's plan away."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from control_rig import GIB
from django.utils import timezone
from storage_uneven import gather, heap, put

from console.actions import SYSTEM
from console.controller.lease import Fenced
from console.controller.models import Lease
from console.events.models import Event
from console.fleet.models import Host
from console.storage import automatic
from console.storage.actions.plans import ProposePlan
from console.storage.actions.pools import PutPool
from console.storage.actions.shards import CreateShard
from console.storage.automatic import look_at_pools
from console.storage.models import Move, MovePlan, Replica, StoragePool

EPOCH = 7
NOON = timezone.now()


@pytest.fixture
def uneven(cluster: Any) -> Any:
    """Four hosts of 100 GiB; eight shards of one copy and 5 GiB all lie on the first."""
    Lease.objects.create(role="controller", holder="me", epoch=EPOCH, renewals=0)
    heap(cluster)
    return cluster


def look(after_s: float) -> int:
    return look_at_pools(EPOCH, NOON + timedelta(seconds=after_s))


def since() -> datetime | None:
    return StoragePool.objects.get(pk="p").above_since


def test_after_the_hold_time_a_plan_is_carried_out(uneven: Any) -> None:
    """Not before; it aims at the threshold less the margin; its events say why, and that the system did it."""
    assert [look(0), look(300), look(599)] == [0, 0, 0]
    assert since() == NOON

    assert look(600) == 1

    plan = MovePlan.objects.get()
    assert (plan.state, plan.pool, plan.automatic, plan.created_by) == ("running", "p", True, "steelyard")
    assert plan.after["disk"] <= 1.2 + 0.05
    assert "h0" not in set(plan.moves.values_list("target", flat=True))
    assert "The fullest host's disk is 4.00 times the mean, above 1.3." in plan.sentence
    assert "is carried out" in StoragePool.objects.get(pk="p").said
    events = Event.objects.filter(action__in=("storage-pool.automatic", "rebalance.apply"))
    assert all("4.00 times the mean" in event.reason for event in events)
    assert events.count() == 3
    # While it runs nothing else begins, however long it takes.
    assert [look(700), look(99_999)] == [0, 0]


def test_what_sets_itself_right_is_let_be(uneven: Any) -> None:
    """Once it is well the clock stands at nothing; what comes later waits its whole hold time."""
    look(0)
    for number in range(4):
        gather(f"h{number}", 8 - 2 * number)
    assert look(500) == 0
    assert since() is None
    assert "stands well" in StoragePool.objects.get(pk="p").said
    gather("h0")

    assert [look(601), look(1200)] == [0, 0]
    assert look(1201) == 1


def test_between_aim_and_threshold_nothing_happens(uneven: Any) -> None:
    """Hysteresis: a pool that was brought to the aim may rise to the threshold before it is moved again."""
    for number in range(4):
        gather(f"h{number}", 8 - 2 * number)
    MovePlan.objects.all().delete()
    line = Host.objects.get(name="h0").ledger.model.objects.get(host__name="h0", resource="disk")
    line.reserved += 3.5 * GIB  # 1.24 times the mean: above the aim, below the threshold
    line.save()

    assert [look(0), look(9999)] == [0, 0]
    assert since() is None


def test_what_gains_too_little_moves_nothing(cluster: Any) -> None:
    """Others' data makes the host full: no plan betters it, which is said, and looked at again a hold time later."""
    Lease.objects.create(role="controller", holder="me", epoch=EPOCH, renewals=0)
    for number in range(4):
        cluster.add(f"h{number}", disk=100 * GIB)
    put()
    for number in range(4):
        CreateShard(f"s{number}", int(GIB), "h0", "tree", pool="p").run(SYSTEM)
        gather(f"h{number}", 4 - number)
    Replica.objects.update(state="ready")
    cluster.report("h3", disk=60 * GIB)

    assert [look(0), look(600)] == [0, 0]

    pool = StoragePool.objects.get(pk="p")
    assert "No plan betters it" in pool.said
    assert pool.above_since == NOON + timedelta(seconds=600)
    assert not MovePlan.objects.exists()


def test_a_proposal_waits_for_a_person(uneven: Any) -> None:
    """It stands for an hour, then is made anew; a person's proposal stays beside it, and takes it away."""
    put(automatic="propose")
    mine = ProposePlan(even=1.05).run(SYSTEM)
    MovePlan.objects.update(created_at=NOON)
    look(0)
    assert look(600) == 1
    first = MovePlan.objects.get(automatic=True)
    assert (first.state, MovePlan.objects.filter(pk=mine.pk).count()) == ("proposed", 1)
    assert first.frontier  # what other aims come to is for whoever decides
    MovePlan.objects.filter(pk=first.pk).update(created_at=NOON + timedelta(seconds=600))

    assert [look(700), look(1300), look(2600)] == [0, 0, 0]
    assert look(4201) == 1
    assert MovePlan.objects.get(automatic=True).pk != first.pk
    ProposePlan(even=1.05).run(SYSTEM)
    assert not MovePlan.objects.filter(automatic=True).exists()


def test_lost_drained_and_full_hosts_are_left(uneven: Any) -> None:
    """Each is a reason of its own, whatever the threshold."""
    put(threshold=10.0, margin=1.0)
    Host.objects.filter(name="h0").update(state="draining")
    look(0)
    assert look(600) == 1
    drained = MovePlan.objects.get()
    assert "8 copies are on hosts that drain." in drained.sentence
    assert drained.moves.count() == 8
    Move.objects.all().delete()
    drained.delete()
    Host.objects.filter(name="h0").update(state="active")

    put(threshold=10.0, margin=1.0, low=0.2, high=0.31)
    look(10_000)
    assert look(10_600) == 1
    full = MovePlan.objects.get()
    assert "h0 is 40 % full, above the high watermark of 31 %." in full.sentence
    assert full.moves.count() == 2


def test_one_pool_that_can_not_be_looked_at_holds_no_other_up(
    uneven: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A defect is logged with the pool's name, and the next pool is looked at."""
    PutPool("a", automatic="propose").run(SYSTEM)
    real = automatic.see

    def fail(drain: list[str], full: float, pool: str) -> Any:
        if pool == "a":
            raise KeyError("disk")
        return real(drain, full, pool)

    monkeypatch.setattr(automatic, "see", fail)

    assert [look(0), look(600)] == [0, 1]
    assert "the pool a can't be looked at" in caplog.text


def test_a_deposed_controller_begins_nothing(uneven: Any) -> None:
    """Its epoch no longer leads: nothing is kept of what it found."""
    look(0)
    Lease.objects.update(epoch=EPOCH + 1)

    with pytest.raises(Fenced):
        look(600)
    assert not MovePlan.objects.exists()
    put(automatic="off")
    assert look(1200) == 0
