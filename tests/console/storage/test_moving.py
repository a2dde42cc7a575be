"""Plans of moves: proposed, applied, and carried out copy by copy, through the real movers of several hosts."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from control_rig import GIB
from django.db import transaction
from django.utils import timezone
from storage_moving import TREE_BYTES, Killed, Rig, due, in_thread, killed_at

from console.actions import SYSTEM, Conflict, Invalid
from console.events.models import Event
from console.fleet.actions.lifecycle import Drain
from console.fleet.models import Command, Host
from console.placements import ledger
from console.storage.actions.plans import (
    ApplyMovePlan,
    CancelMovePlan,
    PauseMovePlan,
    ProposePlan,
    ResumeMovePlan,
)
from console.storage.actions.pools import PutPool
from console.storage.actions.shards import CreateShard, RemoveShard
from console.storage.models import Leftover, Move, MovePlan, Replica, Shard
from console.storage.moving import advance_moves

#: How often the controller or an agent ends in the middle; `make chaos` asks for 500.
KILLS = int(os.environ.get("STEELYARD_KILLS", "20"))


@pytest.fixture
def rig(cluster: Any, tmp_path: Path) -> Iterator[Rig]:
    """Four hosts in the zones a, b, c, c; the tree to be copied lies on the first."""
    rig = Rig(cluster, tmp_path, {"a1": "a", "b1": "b", "c1": "c", "c2": "c"})
    yield rig
    rig.close()


async def furnish(rig: Rig, *names: str) -> None:
    """Shards of two copies in different zones, copied."""
    for name in names:
        await in_thread(CreateShard(name, 2 * TREE_BYTES, "a1", "tree", 2, "zone").run, SYSTEM)
    await rig.run(lambda: not Replica.objects.exclude(state="ready").exists())


def propose(**asked: Any) -> MovePlan:
    return ProposePlan(**{"bytes_s": 1e9, **asked}).run(SYSTEM)


def ended() -> bool:
    return not MovePlan.objects.filter(state="running").exists()


async def test_a_drained_host_is_emptied(rig: Rig) -> None:
    """Only what is on it moves, copy by copy; in the end its disk and its ledger are empty, the shards whole."""
    await furnish(rig, "one", "two", "three")

    def begin() -> tuple[str, int]:
        host = Replica.objects.values_list("placement__host__name", flat=True)[0]
        on_it = Replica.objects.filter(placement__host__name=host).count()
        Drain(host, "test").run(SYSTEM)
        plan = propose()
        assert set(plan.moves.values_list("source", flat=True)) == {host}
        ApplyMovePlan(plan.pk).run(SYSTEM)
        return host, on_it

    host, on_it = await in_thread(begin)
    await rig.run(ended)

    def look() -> None:
        plan = MovePlan.objects.get()
        assert ("done", on_it) == (plan.state, plan.moves.filter(state="done").count())
        assert not Replica.objects.filter(placement__host__name=host).exists()
        assert list((rig.hosts[host].root.path / "shards").iterdir()) == []
        assert ledger.drift() == {}
        assert Replica.objects.filter(state="ready").count() == 6
        assert Event.objects.filter(action="shard.move").exists()

    await in_thread(look)


async def test_what_others_keep_moves_by_the_same_steps(rig: Rig) -> None:
    """An erasure set in a pool that nobody copies: placed, ready, moved off a drained host, removed; no file comes."""

    def place() -> str:
        PutPool("others", data=2, parity=1, mover="none").run(SYSTEM)
        CreateShard("set", 3 * TREE_BYTES, "a1", pool="others").run(SYSTEM)
        return str(Replica.objects.values_list("placement__host__name", flat=True)[0])

    def drain() -> None:
        Drain(host, "test").run(SYSTEM)
        ApplyMovePlan(propose(pool="others").pk).run(SYSTEM)

    host = await in_thread(place)
    await rig.run(lambda: Replica.objects.filter(state="ready").count() == 3, check=False)
    await in_thread(drain)
    await rig.run(ended, check=False)

    def look() -> None:
        assert MovePlan.objects.get().moves.get().state == "done"
        assert not Replica.objects.filter(placement__host__name=host).exists()
        assert Replica.objects.filter(state="ready").count() == 3
        assert [path for each in rig.hosts.values() for path in (each.root.path / "shards").iterdir()] == []
        RemoveShard("set").run(SYSTEM)

    await in_thread(look)
    await rig.run(lambda: not Leftover.objects.exists())
    assert await in_thread(ledger.drift) == {}


async def test_a_lost_hosts_copies_are_made_anew_from_others(rig: Rig) -> None:
    """Its agent is gone: what it held comes from the other copies, and its part of the ledger is given back."""
    await furnish(rig, "one", "two")

    def lose() -> str:
        host = str(Replica.objects.values_list("placement__host__name", flat=True)[0])
        Host.objects.filter(name=host).update(lost_since=timezone.now())
        ApplyMovePlan(propose().pk).run(SYSTEM)
        return host

    host = await in_thread(lose)
    gone = rig.hosts.pop(host)
    gone.stop()
    for _ in range(20):
        await in_thread(rig.sweep)
        await in_thread(Command.objects.filter(host__name=host).update, state="expired")
        await rig.obey()
        await in_thread(due)
        if await in_thread(ended):
            break

    def look() -> None:
        assert not Replica.objects.filter(placement__host__name=host).exists()
        for shard in Shard.objects.all():
            assert len(rig.copies(shard)) == 2
        assert ledger.drift() == {}

    await in_thread(look)


@pytest.mark.timeout(60 + 12 * KILLS)
async def test_killed_anywhere_it_goes_on(rig: Rig) -> None:
    """The controller ends at any of its writes, agents end after they obeyed and before they said so: no copy is
    lost, never fewer count than shall, no two share a zone, and every plan comes to its end."""
    await furnish(rig, "one", "two", "three")
    rng, kills = random.Random(7), 0
    sources = ["a1", "b1", "c1", "c2"]
    for turn in range(KILLS):
        name = sources[turn % 4]

        def begin(name: str = name) -> None:
            plan = propose(drain=[name])
            if plan.moves.exists():
                ApplyMovePlan(plan.pk).run(SYSTEM)

        await in_thread(begin)
        for _ in range(60):
            if await in_thread(ended):
                break

            def killed_sweep(at: int = rng.randrange(30)) -> bool:
                try:
                    with killed_at(at):
                        rig.sweep()
                except Killed:
                    return True
                return False

            kills += await in_thread(killed_sweep)
            await in_thread(rig.check)
            dies = rng.random() < 0.2
            await rig.obey(lambda command, dies=dies: dies)  # type: ignore[misc]
            kills += dies
            await in_thread(rig.check)
            await in_thread(rig.sweep)
            await in_thread(due)
        else:
            raise AssertionError("a plan came to no end")
        if kills >= KILLS:
            break
    assert kills >= KILLS
    assert await in_thread(ledger.drift) == {}
    assert await in_thread(Replica.objects.exclude(state="ready").count) == 0


async def test_a_copy_that_fails_is_undone(rig: Rig) -> None:
    """The target has another tree of that name: nothing changes but the plan, which says why."""
    await furnish(rig, "one")

    def begin() -> Move:
        host = Replica.objects.values_list("placement__host__name", flat=True)[0]
        plan = propose(drain=[host])
        move = plan.moves.get()
        tree = rig.hosts[move.target].root.shard("one")
        tree.mkdir()
        (tree / "other").write_bytes(b"not ours")
        ApplyMovePlan(plan.pk).run(SYSTEM)
        return move

    move = await in_thread(begin)
    await rig.run(ended)

    def look() -> None:
        move.refresh_from_db()
        assert ("failed", None) == (move.state, move.arriving)
        assert "another content" in move.error
        assert Replica.objects.filter(state="ready").count() == 2
        assert ledger.drift() == {}

    await in_thread(look)


async def test_pause_and_cancel_begin_nothing_more(rig: Rig) -> None:
    """What is under way comes to its end; what was not begun is given up."""
    await furnish(rig, "one", "two", "three")

    def begin() -> MovePlan:
        host = Replica.objects.values_list("placement__host__name", flat=True)[0]
        plan = propose(drain=[host], per_host=1, together=1)
        assert plan.moves.count() >= 1
        ApplyMovePlan(plan.pk).run(SYSTEM)
        rig.sweep()
        assert plan.moves.filter(state="copying").count() == 1
        PauseMovePlan(plan.pk).run(SYSTEM)
        return plan

    plan = await in_thread(begin)
    await rig.run(lambda: not Move.objects.filter(state__in=("copying", "deleting")).exists())

    def resume() -> None:
        done = plan.moves.filter(state="done").count()
        assert done == 1
        ResumeMovePlan(plan.pk).run(SYSTEM)
        CancelMovePlan(plan.pk, "enough").run(SYSTEM)
        assert plan.moves.filter(state="planned").count() == 0
        rig.sweep()
        assert plan.moves.filter(state="done").count() == done
        with pytest.raises(Conflict):
            ResumeMovePlan(plan.pk).run(SYSTEM)

    await in_thread(resume)


def test_even_out_and_its_limits(cluster: Any) -> None:
    """A new host is filled; the proposal says what the fullest host comes to, and a newer one takes its place."""
    for number in range(3):
        cluster.add(f"h{number}", labels={"zone": "abc"[number]}, disk=10.0 * GIB)
    for number in range(8):
        CreateShard(f"s{number}", int(GIB), "h0", "tree", 1, "zone").run(SYSTEM)
    Replica.objects.update(state="ready")
    cluster.add("new", labels={"zone": "d"}, disk=10.0 * GIB)

    first, plan = propose(even=1.01), propose(even=1.01)

    assert not MovePlan.objects.filter(pk=first.pk).exists()
    assert set(plan.moves.values_list("target", flat=True)) == {"new"}
    assert plan.moves.count() == 2
    assert plan.after["disk"] == pytest.approx(1.0)
    assert plan.before["disk"] > 1.2


def test_hosts_of_no_known_domain_are_given_nothing(cluster: Any) -> None:
    """A host without the label that shards are spread over stays empty, as it does when shards are placed."""
    for number in range(3):
        cluster.add(f"h{number}", labels={"zone": "abc"[number]}, disk=10.0 * GIB)
    for number in range(6):
        CreateShard(f"s{number}", int(GIB), "h0", "tree", 1, "zone").run(SYSTEM)
    Replica.objects.update(state="ready")
    cluster.add("nowhere", disk=10.0 * GIB)
    cluster.add("new", labels={"zone": "d"}, disk=10.0 * GIB)

    plan = propose(even=1.01)

    assert set(plan.moves.values_list("target", flat=True)) == {"new"}


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"even": 0.5}, "even"), ({"even": float("nan")}, "even"),
        ({"full": 7.0}, "full"), ({"bytes_s": 0.0}, "bytes_s"),
        ({"per_host": 0}, "per_host"), ({"drain": ["nobody"]}, "drain"),
    ],
)  # fmt: skip
def test_what_means_nothing_is_refused(cluster: Any, asked: dict[str, Any], field: str) -> None:
    """With the field's name, and nothing is kept."""
    cluster.add("a1")

    with pytest.raises(Invalid) as refusal:
        propose(**asked)

    assert refusal.value.field == field
    assert not MovePlan.objects.exists()


def test_a_plan_that_moves_nothing_is_not_applied(cluster: Any) -> None:
    """And what one may not find is unknown."""
    cluster.add("a1")
    plan = propose()

    with pytest.raises(Conflict, match="moves nothing"):
        ApplyMovePlan(plan.pk).run(SYSTEM)

    assert "Nothing moves" in plan.sentence


async def test_a_target_that_changed_meanwhile_fails_its_move(rig: Rig) -> None:
    """Between proposal and turn the target was drained: the move fails with the reason, the copy stays."""
    await furnish(rig, "one")

    def begin() -> Move:
        host = Replica.objects.values_list("placement__host__name", flat=True)[0]
        plan = propose(drain=[host])
        move = plan.moves.get()
        ApplyMovePlan(plan.pk).run(SYSTEM)
        Drain(move.target, "test").run(SYSTEM)
        with transaction.atomic():
            assert advance_moves(7) >= 1
        move.refresh_from_db()
        return move

    move = await in_thread(begin)
    assert ("failed", f"{move.target} takes no replicas any more") == (move.state, move.error)


def test_plans_over_rest_and_on_pages(cluster: Any, api: Any) -> None:
    """Proposed, listed, shown, applied once; a viewer sees and does not act."""
    for number in range(3):
        cluster.add(f"h{number}", labels={"zone": "abc"[number]})
    CreateShard("s", 1000, "h0", "tree", 2, "zone").run(SYSTEM)
    Replica.objects.update(state="ready")
    host = Replica.objects.values_list("placement__host__name", flat=True)[0]

    assert api.viewer.post("/api/v1/rebalances/", {"drain": [host]}).status_code == 403
    made = api.operator.post("/api/v1/rebalances/", {"drain": [host]})
    url = f"/api/v1/rebalances/{made.json()['id']}/"

    assert (201, 1) == (made.status_code, len(made.json()["moves"]))
    assert api.viewer.get("/api/v1/rebalances/").json()["results"][0]["state"] == "proposed"
    assert api.viewer.get(url).json()["moves"][0]["source"] == host
    assert api.viewer.post(url + "apply/").status_code == 403
    assert api.operator.post(url + "apply/").json()["state"] == "running"
    assert api.operator.post(url + "apply/").status_code == 409
    assert api.operator.post(url + "pause/").json()["state"] == "paused"
    assert api.operator.post(url + "resume/").json()["state"] == "running"
    assert api.operator.post(url + "cancel/").json()["state"] == "cancelled"
    assert api.operator.post("/api/v1/rebalances/", {"even": 0.1}).json()["errors"][0]["field"] == "even"
    assert api.operator.post("/api/v1/rebalances/999999/apply/").status_code == 404
