"""Removing a shard at any step of its copies leaves no tree behind, on no host, and gives all room back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from storage_moving import TREE_BYTES, Killed, Rig, in_thread, killed_at

from console.actions import SYSTEM
from console.fleet.models import Command, Host
from console.placements import ledger
from console.storage.actions.plans import ApplyMovePlan, ProposePlan
from console.storage.actions.shards import CreateShard, RemoveShard
from console.storage.models import Leftover, MovePlan, Replica, Shard


@pytest.fixture
def rig(cluster: Any, tmp_path: Path) -> Iterator[Rig]:
    """Three hosts in zones of their own; the tree lies on the first."""
    rig = Rig(cluster, tmp_path, {"a1": "a", "b1": "b", "c1": "c"})
    yield rig
    rig.close()


def create(name: str = "s") -> Shard:
    return CreateShard(name, 2 * TREE_BYTES, "a1", "tree", 2, "zone").run(SYSTEM)


def trees(rig: Rig) -> list[Path]:
    """Whatever lies on the hosts' disks beside what operators put there."""
    return [
        tree
        for host in rig.hosts.values()
        for folder in ("shards", ".incoming")
        for tree in (host.root.path / folder).iterdir()
    ]


def nothing_owed() -> bool:
    assert ledger.drift() == {}
    return not Leftover.objects.exists()


@pytest.mark.parametrize("dies", [False, True], ids=["answered", "agents end"])
@pytest.mark.parametrize("step", range(7))
async def test_a_new_shard_is_removed_at_any_step(rig: Rig, step: int, dies: bool) -> None:
    """Reserved, served, fetched, ready: told or not, answered or not."""
    await in_thread(create)
    for number in range(step):
        if number % 2:
            await rig.obey(lambda command: dies)
        else:
            await in_thread(rig.sweep)

    await in_thread(RemoveShard("s").run, SYSTEM)
    await rig.run(nothing_owed)

    assert trees(rig) == []
    assert await in_thread(ledger.totals) == {
        name: (capacity, 0.0) for name, (capacity, _) in (await in_thread(ledger.totals)).items()
    }


@pytest.mark.parametrize("step", range(1, 9))
async def test_a_shard_that_moves_is_removed_at_any_step(rig: Rig, step: int) -> None:
    """Copied to a third host, cut over, deleted: no copy stays on any of the three."""
    await in_thread(create)
    await rig.run(lambda: not Replica.objects.exclude(state="ready").exists())

    def begin() -> None:
        host = str(Replica.objects.values_list("placement__host__name", flat=True)[0])
        ApplyMovePlan(ProposePlan(drain=[host], bytes_s=1e9).run(SYSTEM).pk).run(SYSTEM)

    await in_thread(begin)
    for number in range(step):
        await (rig.obey() if number % 2 else in_thread(rig.sweep))

    await in_thread(RemoveShard("s").run, SYSTEM)
    await rig.run(lambda: nothing_owed() and not MovePlan.objects.filter(state="running").exists())

    assert trees(rig) == []


async def test_a_copy_under_way_is_ended(rig: Rig) -> None:
    """A slow copy does not hold its shard's removal up: it ends at once, and what it wrote is gone."""
    await in_thread(create)
    await rig.run(lambda: not Replica.objects.exclude(state="ready").exists())

    def begin() -> str:
        host = str(Replica.objects.values_list("placement__host__name", flat=True)[0])
        plan = ProposePlan(drain=[host], bytes_s=10.0).run(SYSTEM)
        ApplyMovePlan(plan.pk).run(SYSTEM)
        rig.sweep()
        rig.sweep()
        return plan.moves.get().target

    target = rig.hosts[await in_thread(begin)]
    begun, loop, root_begin = asyncio.Event(), asyncio.get_running_loop(), target.root.begin

    def noted(transfer: str) -> Path:
        loop.call_soon_threadsafe(begun.set)
        return root_begin(transfer)

    target.root.begin = noted  # type: ignore[method-assign]
    await rig.obey()
    await in_thread(rig.sweep)
    copying = asyncio.create_task(rig.obey())
    await begun.wait()

    await in_thread(RemoveShard("s").run, SYSTEM)
    await rig.obey()
    await copying
    await rig.run(nothing_owed)

    assert trees(rig) == []


async def test_killed_while_removing_it_is_whole_or_gone(rig: Rig) -> None:
    """At each of its writes: then nothing was done, and it is done again."""
    await in_thread(create)
    await rig.run(lambda: not Replica.objects.exclude(state="ready").exists())

    def remove(at: int) -> bool:
        try:
            with killed_at(at):
                RemoveShard("s").run(SYSTEM)
        except Killed:
            assert Shard.objects.filter(name="s").exists()
            assert not Leftover.objects.exists()
            assert ledger.drift() == {}
            return False
        return True

    writes = 0
    while not await in_thread(remove, writes):
        await in_thread(rig.check)
        writes += 1
    assert writes > 4
    await rig.run(nothing_owed)
    assert trees(rig) == []


async def test_nothing_comes_where_an_earlier_tree_is_still_to_go(rig: Rig) -> None:
    """A new shard of the same name avoids the host that has not answered, which deletes when it comes back."""
    await in_thread(create)
    await rig.run(lambda: not Replica.objects.exclude(state="ready").exists())

    def again() -> set[str]:
        held = set(Replica.objects.values_list("placement__host__name", flat=True))
        gone = sorted(held)[0]
        Host.objects.filter(name=gone).update(lost_since=timezone.now())
        rig.sweep()
        RemoveShard("s").run(SYSTEM)
        Command.objects.filter(verb="shard.drop").exclude(host__name=gone).update(state="done")
        rig.sweep()
        assert list(Leftover.objects.values_list("host__name", flat=True)) == [gone]
        Host.objects.update(lost_since=None)
        rig.sweep()
        CreateShard("s", 2 * TREE_BYTES, "a1", "tree", 2, "zone").run(SYSTEM)
        placed = set(Replica.objects.values_list("placement__host__name", flat=True))
        assert gone not in placed
        return placed

    await in_thread(again)
    await rig.run(lambda: nothing_owed() and not Replica.objects.exclude(state="ready").exists())
    assert len(trees(rig)) >= 2
