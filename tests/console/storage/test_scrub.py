"""Copies are read again: a flipped bit, a missing tree, an agent that says nothing; repaired from a good copy."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from storage_moving import TREE_BYTES, Rig, in_thread

from agents.shards import remove_tree
from console.actions import SYSTEM, Conflict
from console.events.models import Event
from console.fleet.models import Command
from console.placements import ledger
from console.storage.actions.shards import CreateShard, ScrubShard
from console.storage.models import Replica, Shard


@pytest.fixture
def rig(cluster: Any, tmp_path: Path) -> Iterator[Rig]:
    """A host in each of three zones."""
    rig = Rig(cluster, tmp_path, {"a1": "a", "b1": "b", "c1": "c"})
    yield rig
    rig.close()


async def furnish(rig: Rig, copies: int) -> tuple[Shard, Path]:
    """A copied shard, and where its first copy lies."""
    await in_thread(CreateShard("s", 2 * TREE_BYTES, "a1", "tree", copies, "zone").run, SYSTEM)
    await rig.run(lambda: not Replica.objects.exclude(state="ready").exists())

    def first() -> tuple[Shard, Path]:
        host = Replica.objects.values_list("placement__host__name", flat=True)[0]
        return Shard.objects.get(), rig.hosts[host].root.shard("s")

    return await in_thread(first)


def flip(tree: Path) -> None:
    """One bit of one file."""
    data = bytearray((tree / "data").read_bytes())
    data[TREE_BYTES // 2] ^= 4
    (tree / "data").write_bytes(data)


def all_verified() -> bool:
    return not Replica.objects.exclude(state="ready", verified_at__isnull=False).exists()


@pytest.mark.parametrize("harm", [flip, remove_tree])
async def test_what_is_damaged_is_made_anew(rig: Rig, harm: Any) -> None:
    """Found by reading, deleted, and copied again from the other copy; both are whole in the end."""
    shard, tree = await furnish(rig, 2)
    harm(tree)
    asked = timezone.now()
    await in_thread(ScrubShard("s").run, SYSTEM)
    for _ in range(20):
        await in_thread(rig.sweep)
        await rig.obey()
        if await in_thread(all_verified):
            break

    def look() -> None:
        assert len(rig.copies(shard)) == 2
        assert all(replica.verified_at > asked for replica in Replica.objects.all())
        assert Event.objects.filter(action="shard.scrub", subject="s").count() == 2
        assert ledger.drift() == {}

    await in_thread(look)


async def test_the_last_copy_is_not_deleted(rig: Rig) -> None:
    """However damaged it is: what is left may be worth something to somebody."""
    _, tree = await furnish(rig, 1)
    flip(tree)
    await in_thread(ScrubShard("s").run, SYSTEM)
    for _ in range(6):
        await in_thread(rig.sweep)
        await rig.obey()

    def look() -> None:
        assert Replica.objects.get().state == "damaged"
        assert tree.is_dir()
        assert not Command.objects.filter(verb="shard.drop").exists()
        with pytest.raises(Conflict):
            ScrubShard("s").run(SYSTEM)

    await in_thread(look)


async def test_silence_proves_nothing(rig: Rig) -> None:
    """A command that ran out leaves the copy as it was, and it is asked again."""
    await furnish(rig, 1)

    def ask() -> None:
        ScrubShard("s").run(SYSTEM)
        rig.sweep()
        assert Command.objects.filter(verb="shard.verify", state="pending").update(state="expired") == 1
        rig.sweep()
        assert Replica.objects.get().state == "ready"
        assert Command.objects.filter(verb="shard.verify", state="pending").count() == 1

    await in_thread(ask)


async def test_whole_copies_are_read_when_it_is_time(rig: Rig) -> None:
    """Not before, one a host, and the time is kept."""
    await furnish(rig, 2)

    def not_yet() -> None:
        rig.sweep()
        assert not Command.objects.filter(verb="shard.verify").exists()
        Replica.objects.update(verified_at=timezone.now() - timedelta(days=8))
        rig.sweep()
        assert Command.objects.filter(verb="shard.verify", state="pending").count() == 2

    await in_thread(not_yet)
    await rig.obey()
    await in_thread(rig.sweep)
    assert await in_thread(all_verified)
    assert not await in_thread(Event.objects.filter(action="shard.scrub").exists)


def test_asked_over_rest_and_on_the_page(cluster: Any, api: Any) -> None:
    """By whoever may operate; the copies are due then."""
    cluster.add("a1")
    CreateShard("s", 10, "a1", "tree", 1).run(SYSTEM)

    assert api.operator.post("/api/v1/shards/s/verify/").status_code == 409
    Replica.objects.update(state="ready", verified_at=timezone.now())
    assert api.viewer.post("/api/v1/shards/s/verify/").status_code == 403
    assert api.operator.post("/api/v1/shards/s/verify/").json()["replicas"][0]["verified_at"] is None
    assert api.operator.post("/api/v1/shards/none/verify/").status_code == 404
