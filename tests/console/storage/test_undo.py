"""A finished plan taken back: by a plan of its own, checked and carried out as any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from storage_moving import TREE_BYTES, Rig, in_thread

from console.actions import SYSTEM, Conflict, Unknown
from console.fleet.actions.lifecycle import Cordon
from console.placements import ledger
from console.storage.actions.plans import ApplyMovePlan, ProposePlan
from console.storage.actions.shards import CreateShard, RemoveShard
from console.storage.actions.undo import UndoMovePlan
from console.storage.models import MovePlan, Replica, Shard


@pytest.fixture
def rig(cluster: Any, tmp_path: Path) -> Iterator[Rig]:
    """Four hosts in the zones a, b, c, c; the tree to be copied lies on the first."""
    rig = Rig(cluster, tmp_path, {"a1": "a", "b1": "b", "c1": "c", "c2": "c"})
    yield rig
    rig.close()


def where() -> set[tuple[str, str, bool]]:
    return set(Replica.objects.values_list("shard__name", "placement__host__name", "leader"))


def ended() -> bool:
    return not MovePlan.objects.filter(state="running").exists()


async def moved(rig: Rig, *names: str) -> MovePlan:
    """Shards of two copies, and the ended plan that emptied the host of the first copy."""
    for name in names:
        await in_thread(CreateShard(name, 2 * TREE_BYTES, "a1", "tree", 2, "zone").run, SYSTEM)
    await rig.run(lambda: not Replica.objects.exclude(state="ready").exists())

    def begin() -> MovePlan:
        host = str(Replica.objects.values_list("placement__host__name", flat=True)[0])
        return ApplyMovePlan(ProposePlan(drain=[host], bytes_s=1e9).run(SYSTEM).pk).run(SYSTEM)

    plan = await in_thread(begin)
    await rig.run(ended)
    return plan


async def test_everything_is_where_it_was(rig: Rig) -> None:
    """Also who leads; the trees lie there again, whole, and the plan says what it takes back."""
    for name in ("one", "two"):
        await in_thread(CreateShard(name, 2 * TREE_BYTES, "a1", "tree", 2, "zone").run, SYSTEM)
    before = await in_thread(where)
    plan = await moved(rig)
    assert await in_thread(where) != before

    def undo() -> MovePlan:
        back = UndoMovePlan(plan.pk, "it was slower there").run(SYSTEM)
        assert (back.state, back.undoes_id, back.asked) == ("proposed", plan.pk, {"undo": plan.pk})
        assert set(back.moves.values_list("source", "target")) == set(
            plan.moves.values_list("target", "source")
        )
        assert ended()
        return ApplyMovePlan(back.pk).run(SYSTEM)

    await in_thread(undo)
    await rig.run(ended)

    assert await in_thread(where) == before
    assert await in_thread(ledger.drift) == {}
    for name, host, _ in before:
        assert await in_thread(rig.hosts[host].has, await in_thread(lambda n=name: Shard.objects.get(name=n)))


async def test_what_can_not_return_is_said(rig: Rig) -> None:
    """A shard that is gone, and a host that takes nothing now: the others return."""
    plan = await moved(rig, "one", "two", "three")

    def undo() -> None:
        moves = list(plan.moves.select_related("shard"))
        RemoveShard(moves[0].shard.name).run(SYSTEM)
        back = UndoMovePlan(plan.pk).run(SYSTEM)
        # Its moves went with the shard.
        assert back.moves.count() == len(moves) - 1
        Cordon(moves[0].source).run(SYSTEM)
        none = UndoMovePlan(plan.pk).run(SYSTEM)
        assert none.moves.count() == 0
        assert len(moves) == 1 or "stay, since where they would go takes nothing now" in none.sentence

    await in_thread(undo)


def test_only_what_has_ended_and_moved_is_undone(cluster: Any) -> None:
    """A proposal, one that runs and one that moved nothing are not."""
    for number in range(3):
        cluster.add(f"h{number}")
    CreateShard("s", 1000, "h0", "tree").run(SYSTEM)
    Replica.objects.update(state="ready")
    host = str(Replica.objects.values_list("placement__host__name", flat=True)[0])
    plan = ProposePlan(drain=[host]).run(SYSTEM)

    with pytest.raises(Conflict, match="proposed"):
        UndoMovePlan(plan.pk).run(SYSTEM)
    MovePlan.objects.update(state="cancelled")
    with pytest.raises(Conflict, match="moved nothing"):
        UndoMovePlan(plan.pk).run(SYSTEM)
    with pytest.raises(Unknown):
        UndoMovePlan(plan.pk + 1).run(SYSTEM)


def test_undo_over_rest(cluster: Any, api: Any) -> None:
    """Proposed for operators, refused as the action says."""
    for number in range(3):
        cluster.add(f"h{number}")
    CreateShard("s", 1000, "h0", "tree").run(SYSTEM)
    Replica.objects.update(state="ready")
    host = str(Replica.objects.values_list("placement__host__name", flat=True)[0])
    plan = ProposePlan(drain=[host]).run(SYSTEM)
    url = f"/api/v1/rebalances/{plan.pk}/undo/"

    assert api.viewer.post(url).status_code == 403
    assert api.operator.post(url).status_code == 409
    # As if it had been carried out: the copy lies where it was to go.
    move = plan.moves.get()
    plan.moves.update(state="done", source=move.target, target=move.source)
    MovePlan.objects.update(state="done")
    made = api.operator.post(url, {"reason": "back"})
    assert (201, plan.pk, 1) == (made.status_code, made.json()["undoes"], len(made.json()["moves"]))
