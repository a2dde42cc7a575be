"""Storage pools: what their shards are kept as, and how placing and planning obey them."""

from __future__ import annotations

from typing import Any

import pytest
from control_rig import GIB, MIB
from django.utils import timezone

from console.actions import SYSTEM, Conflict, Invalid, Unknown
from console.events.models import Event
from console.placements import ledger
from console.placements.actions.commit import FitsNowhere
from console.placements.models import Placement
from console.storage.actions.measuring import MeasureShard
from console.storage.actions.plans import ProposePlan
from console.storage.actions.pools import PutPool, RemovePool
from console.storage.actions.shards import CreateShard
from console.storage.models import Replica, Shard, StoragePool


@pytest.fixture
def zones(cluster: Any) -> Any:
    """Two hosts of 100 GiB in each of three zones."""
    for zone in "abc":
        for number in (1, 2):
            cluster.add(f"{zone}{number}", labels={"zone": zone}, disk=100 * GIB)
    return cluster


def put(name: str = "p", **says: Any) -> StoragePool:
    return PutPool(name, **says).run(SYSTEM)


def create(name: str, size: float = GIB, **says: Any) -> Shard:
    return CreateShard(name, int(size), "a1", "tree", **says).run(SYSTEM)


def test_a_shard_is_kept_as_its_pool_says(zones: Any) -> None:
    """Copies, domains and policy are the pool's; a shard that names none is in the default pool."""
    put(parity=2, spread_level="zone", policy="pack")

    shard, other = create("s", pool="p"), create("t")

    domains = {replica.placement.host.labels["zone"] for replica in shard.replicas.all()}
    assert (domains, shard.replica_count, shard.spread_level) == ({"a", "b", "c"}, 3, "zone")
    assert {replica.placement.decision.policy for replica in shard.replicas.all()} == {"pack"}
    assert [replica.leader for replica in shard.replicas.all()] == [True, False, False]
    assert (other.pool_id, other.replicas.count()) == ("default", 2)
    with pytest.raises(Unknown):
        create("u", pool="nothing")


def test_an_erasure_set_is_placed_piece_by_piece(zones: Any) -> None:
    """k + m pieces of a k-th of the bytes, none leads; its count is not another one's, and nobody copies it."""
    put(data=4, parity=2, mover="none")

    shard = create("s", 4 * GIB, pool="p", read_bytes_s=8 * MIB)

    demands = [replica.placement.demand for replica in shard.replicas.all()]
    assert demands == [{"disk": GIB, "disk_io": 2 * MIB, "net_out": 2 * MIB}] * 6
    assert not shard.replicas.filter(leader=True).exists()
    with pytest.raises(Invalid) as refusal:
        create("t", pool="p", replicas=2)
    assert refusal.value.field == "replicas"


def test_nothing_new_goes_above_the_low_watermark(zones: Any) -> None:
    """By what is promised and by what is measured; the refusal says so for each host."""
    put(parity=0, low=0.5, high=0.6)
    for host in ("a2", "b1", "b2", "c1", "c2"):
        zones.report(host, disk=50 * GIB)

    assert create("s", 49 * GIB, pool="p").replicas.get().placement.host.name == "a1"
    with pytest.raises(FitsNowhere) as refusal:
        create("t", 2 * GIB, pool="p")

    assert refusal.value.decision.rejected == {"above_mark": 6}
    assert (Placement.objects.get(name="s/0").decision.asked or {})["marks"] == {"disk": 0.5}
    assert create("t", 2 * GIB, replicas=1).pool.low == 0.9


def test_shards_leave_what_is_above_the_high_watermark(zones: Any) -> None:
    """As many as bring it below, to hosts that stay below the low one; other pools' shards stay."""
    put(parity=0, low=0.3, high=0.4)
    for number in range(6):
        create(f"s{number}", 10 * GIB, pool="p")
        create(f"t{number}", GIB, replicas=1)
    crowded = Placement.objects.filter(name__startswith="s").values_list("host_id", flat=True)[0]
    for placement in Placement.objects.filter(name__startswith="s"):
        ledger.release({placement.host_id: placement.demand})
        ledger.reserve(crowded, placement.demand)
    Placement.objects.filter(name__startswith="s").update(host_id=crowded)
    Replica.objects.update(state="ready")

    plan = ProposePlan(pool="p").run(SYSTEM)

    moves = list(plan.moves.all())
    assert len(moves) == 3 if Placement.objects.filter(host_id=crowded, name__startswith="t").exists() else 2
    assert {move.shard.pool_id for move in moves} == {"p"}
    assert (plan.full, plan.pool) == (0.3, "p")
    with pytest.raises(Unknown):
        ProposePlan(pool="nothing").run(SYSTEM)


def test_leaders_lie_apart_where_they_are_hot(zones: Any) -> None:
    """A copy that leads bears the reads and sends what is written: six such are on six hosts."""
    put(parity=1)
    for number in range(6):
        create(f"s{number}", MIB, pool="p", read_bytes_s=40 * MIB, write_bytes_s=10 * MIB)

    leaders = Replica.objects.filter(leader=True)
    assert leaders.values("placement__host").distinct().count() == 6
    assert leaders[0].placement.demand == {
        "disk": MIB, "disk_io": 50 * MIB, "net_out": 50 * MIB, "net_in": 10 * MIB,
    }  # fmt: skip
    follows = Replica.objects.filter(leader=False)[0].placement.demand
    assert follows == {"disk": MIB, "disk_io": 10 * MIB, "net_in": 10 * MIB}


def test_growth_is_learned_from_sizes_and_room_is_kept_for_it(zones: Any) -> None:
    """The line through the reported sizes; the ledger holds the days that the pool says, and follows what is said."""
    put(mover="none", keep_days=10.0)
    shard = create("s", 10 * GIB, pool="p")
    now = timezone.now().timestamp()
    Shard.objects.update(sizes=[[now - day * 86_400, (20 - day) * GIB] for day in (3, 2, 1)])

    learned = MeasureShard("s", bytes=int(20 * GIB)).run(SYSTEM)

    assert learned.growth_bytes_day == pytest.approx(GIB, rel=1e-3)
    assert not learned.growth_given
    hosts = [replica.placement.host.name for replica in shard.replicas.all()]
    assert [zones.reserved(host, "disk") for host in hosts] == pytest.approx([30 * GIB] * 2, rel=1e-3)
    given = MeasureShard("s", growth_bytes_day=0.0, memory_bytes=GIB).run(SYSTEM)
    assert given.growth_given
    assert [zones.reserved(host, "disk") for host in hosts] == [20 * GIB] * 2
    assert [zones.reserved(host, "memory") for host in hosts] == [GIB] * 2
    MeasureShard("s", learn=True).run(SYSTEM)
    assert not Shard.objects.get().growth_given
    assert ledger.drift() == {}


def test_what_outgrows_its_host_is_said_and_moved(zones: Any) -> None:
    """Where there is no room the promise stays as it was, and a plan reckons with what is asked."""
    put(mover="none", parity=0, low=1.0, high=1.0)
    shard = create("s", 10 * GIB, pool="p")
    host = shard.replicas.get().placement.host
    create("t", 85 * GIB, pool="p")
    Placement.objects.filter(name="t/0").update(host=host)
    for name, amount in ((Placement.objects.get(name="t/0").decision.host, -85 * GIB), (host.name, 85 * GIB)):
        if name != host.name or amount > 0:
            line = host.ledger.model.objects.get(host__name=name, resource="disk")
            line.reserved += amount
            line.save()
    Replica.objects.update(state="ready")

    MeasureShard("s", bytes=int(30 * GIB)).run(SYSTEM)

    assert (
        Event.objects.filter(action="shard.measure").latest("at").reason == f"no room to grow on {host.name}"
    )
    assert shard.replicas.get().placement.demand["disk"] == 10 * GIB
    assert ProposePlan(pool="p").run(SYSTEM).moves.get().shard == shard


def test_a_tree_does_not_grow(zones: Any) -> None:
    """Its digest says what it is; its load may change."""
    create("s")
    Shard.objects.update(digest="a" * 64)

    with pytest.raises(Conflict, match="digest"):
        MeasureShard("s", bytes=5).run(SYSTEM)
    assert MeasureShard("s", read_bytes_s=MIB).run(SYSTEM).read_bytes_s == MIB
    with pytest.raises(Invalid):
        MeasureShard("s", read_bytes_s=float("nan")).run(SYSTEM)
    with pytest.raises(Unknown):
        MeasureShard("nothing").run(SYSTEM)


@pytest.mark.parametrize(
    ("says", "field"),
    [
        ({"name": "P!"}, "name"), ({"data": 0}, "data"), ({"parity": -1}, "parity"),
        ({"data": 10, "parity": 9, "mover": "none"}, "parity"), ({"data": 2}, "mover"), ({"low": 0.97}, "low"),
        ({"high": 1.1}, "high"), ({"low": float("nan")}, "low"), ({"margin": 0.3}, "margin"),
        ({"automatic": "on"}, "automatic"), ({"mover": "tape"}, "mover"), ({"policy": "best"}, "policy"),
        ({"spread_level": "no label"}, "spread_level"), ({"hold_s": 1.0}, "hold_s"),
    ],
)  # fmt: skip
def test_a_pool_that_means_nothing_is_refused(cluster: Any, says: dict[str, Any], field: str) -> None:
    """With the field's name, and nothing is kept."""
    with pytest.raises(Invalid) as refusal:
        put(**{"name": "p", **says})

    assert refusal.value.field == field
    assert not StoragePool.objects.exclude(pk="default").exists()


def test_what_shards_are_kept_as_stays(zones: Any) -> None:
    """A pool with shards keeps its data and its mover, and is not removed; the default pool never is."""
    put()
    create("s", pool="p")

    with pytest.raises(Conflict):
        put(data=2, mover="none")
    assert put(parity=2, low=0.5).parity == 2
    with pytest.raises(Conflict, match="1 shards"):
        RemovePool("p").run(SYSTEM)
    create("t")
    with pytest.raises(Conflict):
        RemovePool("default").run(SYSTEM)
    put("q")
    RemovePool("q").run(SYSTEM)
    with pytest.raises(Unknown):
        RemovePool("q").run(SYSTEM)


def test_pools_over_rest(zones: Any, api: Any) -> None:
    """Made, shown, changed, removed; a viewer only sees; the shards say theirs."""
    url = "/api/v1/storage-pools/p/"
    assert api.viewer.put(url, {}).status_code == 403
    assert (
        api.operator.put(url, {"data": 1, "parity": 2, "spread_level": "zone"}).json()["kind"] == "replicas"
    )
    wrong = api.operator.put(url, {"low": 2.0})
    assert (400, "low") == (wrong.status_code, wrong.json()["errors"][0]["field"])
    assert api.operator.put(url, {"copies": 2}).status_code == 400
    body = {"name": "s", "bytes": 100, "source_host": "a1", "source_path": "tree", "pool": "p"}
    made = api.operator.post("/api/v1/shards/", body)
    assert (201, 3, "p") == (made.status_code, len(made.json()["replicas"]), made.json()["pool"])
    said = api.operator.patch("/api/v1/shards/s/", {"growth_bytes_day": 5.0, "read_bytes_s": 1000.0})
    assert (200, 5.0, True) == (
        said.status_code,
        said.json()["growth_bytes_day"],
        said.json()["growth_given"],
    )
    assert api.viewer.patch("/api/v1/shards/s/", {}).status_code == 403
    assert api.operator.patch("/api/v1/shards/s/", {"read_bytes_s": -1}).status_code == 400
    assert api.viewer.get("/api/v1/storage-pools/").json()[0]["shards"] == 1
    assert api.operator.delete(url).status_code == 409
    assert api.operator.delete("/api/v1/shards/s/").status_code == 204
    assert api.operator.delete(url).status_code == 204
    assert api.viewer.get(url).status_code == 404
