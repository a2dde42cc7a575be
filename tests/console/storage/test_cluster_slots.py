"""A real Redis Cluster as a storage pool: found, evened out by a plan, and right when somebody else moved its slots."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from control_rig import MIB, agent
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from redis.crc import key_slot
from redis_nodes import Nodes, running
from storage_moving import EPOCH, Rig, in_thread

from agents import slots
from agents.commands import Refusal
from agents.slot_survey import SLOT_STATS
from agents.slots import SlotMover
from console.actions import SYSTEM, Conflict, Invalid
from console.events.models import Event
from console.fleet.actions.commands import AnswerCommand
from console.fleet.models import Command
from console.placements import ledger
from console.placements.models import Ledger, Placement
from console.storage.actions.measuring import MeasureShard
from console.storage.actions.plans import ApplyMovePlan, ProposePlan
from console.storage.actions.pools import PutPool, RemovePool, SurveyPool
from console.storage.actions.shards import CreateShard, RemoveShard, ScrubShard
from console.storage.actions.undo import UndoMovePlan
from console.storage.models import Leftover, Move, MovePlan, Replica, Shard, SlotCluster
from console.storage.slots import AGAIN, survey_clusters

ADDRESSES = ["127.0.77.1", "127.0.77.2", "127.0.77.3"]
HOSTS = {"r1": "a", "r2": "b", "r3": "c"}


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: Any) -> Iterator[Nodes]:
    """Three masters with memory that differs: slots are even, and the first node's keys are large."""
    with running(tmp_path_factory.mktemp("redis"), ADDRESSES, 3) as started:
        yield started


@pytest.fixture
def rig(cluster: Any, tmp_path: Any, nodes: Nodes) -> Iterator[Rig]:
    """Three hosts with a master each, and the pool of their cluster."""
    nodes.clear()
    made = Rig(cluster, tmp_path, HOSTS, nodes.login, memory=16.0 * MIB)
    PutPool("cache", parity=0, mover="redis", seed=nodes.seeds[0], slots=64).run(SYSTEM)
    yield made
    made.close()


def fill(nodes: Nodes) -> dict[str, bytes]:
    """Keys in 30 of the slots, of sizes that differ by a hundred times; the first node's are larger."""
    chance, there = random.Random(7), {}
    for number in range(600):
        name = f"{{{number % 30}}}-{number}"
        large = 5.0 if key_slot(str(number % 30).encode()) < 5461 else 1.0
        there[name] = b"x" * round(large * 100 * 100 ** chance.random())
    with nodes.client() as client:
        client.mset_nonatomic(there)
    return there


async def look(rig: Rig) -> None:
    """What is in the cluster now is taken over."""
    await in_thread(SurveyPool("cache").run, SYSTEM)
    await rig.run(lambda: SlotCluster.objects.get().look is None, check=False)


def where() -> dict[str, set[int]]:
    """The slots by host, as the rows say."""
    found: dict[str, set[int]] = {name: set() for name in HOSTS}
    replicas = Replica.objects.filter(shard__pool="cache")
    for host, first, last in replicas.values_list(
        "placement__host__name", "shard__first_slot", "shard__last_slot"
    ):
        found[host].update(range(first, last + 1))
    return found


def really(nodes: Nodes) -> dict[str, set[int]]:
    return dict(zip(HOSTS, nodes.owners().values(), strict=True))


async def test_what_is_found_becomes_shards(rig: Rig, nodes: Nodes) -> None:
    """Runs of slots on the hosts of their masters, with size and promise; a second look changes no row's identity."""
    fill(nodes)

    await look(rig)

    cluster = await in_thread(SlotCluster.objects.get)
    assert (cluster.error, cluster.load_from, cluster.open) == ("", "keys", [])
    assert {node["host"]: node["address"] for node in cluster.nodes} == dict(
        zip(HOSTS, nodes.seeds, strict=True)
    )
    assert await in_thread(where) == really(nodes)

    def judged() -> tuple[list[int], float]:
        shards = list(Shard.objects.filter(pool="cache"))
        demands = Placement.objects.filter(replica__shard__pool="cache").values_list("demand", flat=True)
        held = sum(each.get("memory", 0.0) for each in demands)
        assert ledger.drift() == {}
        assert held == sum(each.bytes for each in shards) > 600 * 100
        assert shards[0].replicas.get().placement.decision.sentence.startswith("Found on")
        return sorted(each.pk for each in shards), held

    first = await in_thread(judged)
    await look(rig)
    assert (await in_thread(judged))[0] == first[0]
    assert await in_thread(Event.objects.filter(action="storage-pool.survey", actor="steelyard").count) == 3


async def test_a_plan_evens_memory_out_while_clients_go_on(rig: Rig, nodes: Nodes) -> None:
    """Planned, applied and carried out as any plan; counters lose nothing, rows and cluster say the same, and undo
    would bring all back."""
    there, stop = fill(nodes), threading.Event()
    await look(rig)
    counts, wrong = dict.fromkeys([f"count-{number}" for number in range(20)], 0), list[str]()

    def work() -> None:
        with nodes.client() as client:
            while not stop.is_set():
                for name in counts:
                    counts[name] += 1
                    if client.incr(name) != counts[name]:
                        wrong.append(name)
                stop.wait(0.01)  # Others work on this machine, too.

    plan = await in_thread(ProposePlan(pool="cache", even=1.2).run, SYSTEM)
    began = await in_thread(where)
    # A few of them show what all do, and do not hold other tests up.
    await in_thread(plan.moves.filter(number__gt=2).delete)
    worker = threading.Thread(target=work)
    worker.start()
    try:
        await in_thread(ApplyMovePlan(plan.pk).run, SYSTEM)
        await rig.run(lambda: MovePlan.objects.get(pk=plan.pk).state == "done", check=False)
    finally:
        stop.set()
        await asyncio.to_thread(worker.join)

    assert plan.before["memory"] > 1.3
    assert plan.after["memory"] < 1.25
    assert await in_thread(lambda: set(Move.objects.values_list("state", "error"))) == {("done", "")}
    nodes.check()
    assert await in_thread(where) == really(nodes) != began
    assert (wrong, min(counts.values()) > 0) == ([], True)
    with nodes.client() as client:
        assert {name: client.get(name) for name in there} == there
        assert {name: int(client.get(name)) for name in counts} == counts
    await look(rig)
    assert await in_thread(ledger.drift) == {}

    undo = await in_thread(UndoMovePlan(plan.pk).run, SYSTEM)
    back = await in_thread(lambda: set(undo.moves.values_list("shard", "source", "target")))
    assert back == await in_thread(lambda: set(plan.moves.values_list("shard", "target", "source")))


async def test_loads_that_are_shared_out_by_keys_are_not_planned_with(rig: Rig, nodes: Nodes) -> None:
    """They are no slot's own: for what one hot key does, others would be moved, and the next plan would find the same
    again. What the servers count by slot is made even."""
    fill(nodes)
    await look(rig)
    await in_thread(Shard.objects.filter(source_host__name="r2").update, cpu=0.01)

    shared_out = await in_thread(ProposePlan(pool="cache", even=1.2).run, SYSTEM)
    await in_thread(SlotCluster.objects.update, load_from=SLOT_STATS)
    counted = await in_thread(ProposePlan(pool="cache", even=1.2).run, SYSTEM)

    assert {"memory"} == set(shared_out.before)
    assert counted.before["cpu"] > counted.after["cpu"] > 0.0


async def test_memory_that_a_node_keeps_is_no_reason_to_move_more(
    rig: Rig, nodes: Nodes, cluster: Any
) -> None:
    """What its process does not give back after slots have left is measured, and would have it emptied ever further."""
    fill(nodes)
    await look(rig)
    before = await in_thread(ProposePlan(pool="cache", even=1.2).run, SYSTEM)

    await in_thread(lambda: cluster.report("r1", memory=15.0 * MIB))
    kept = await in_thread(ProposePlan(pool="cache", even=1.2).run, SYSTEM)

    assert before.before == kept.before


async def test_a_move_that_fails_half_way_leaves_whole_slots(rig: Rig, nodes: Nodes) -> None:
    """The part that went is found where it went: the run is cut there, no slot is open, and nothing is deleted."""
    there = fill(nodes)
    await look(rig)
    plan = await in_thread(ProposePlan(pool="cache", drain=["r1"]).run, SYSTEM)
    move = await in_thread(lambda: plan.moves.select_related("shard").order_by("number").first())
    await in_thread(lambda: plan.moves.exclude(pk=move.pk).delete())
    middle = (move.shard.first_slot + move.shard.last_slot) // 2
    bring, said = slots.bring, "127.0.77.9:1: OOM command not allowed"

    async def until(cluster: Any, slot: int, own: Any, pace: Any) -> None:
        if slot > middle:
            raise Refusal(said)
        await bring(cluster, slot, own, pace)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agents.slots.bring", until)
        await in_thread(ApplyMovePlan(plan.pk).run, SYSTEM)
        await rig.run(lambda: Move.objects.get(pk=move.pk).state == "failed", check=False)

    assert said in (await in_thread(Move.objects.get, pk=move.pk)).error
    nodes.check()
    assert await in_thread(where) == really(nodes)
    cut = await in_thread(lambda: Shard.objects.filter(pool="cache", first_slot=middle + 1).exists())
    assert cut
    assert await in_thread(ledger.drift) == {}
    with nodes.client() as client:
        assert {name: client.get(name) for name in there} == there


async def test_what_somebody_else_moved_is_where_it_is(rig: Rig, nodes: Nodes) -> None:
    """After redis-cli or another tool moved slots, rows and promises follow at the next look."""
    fill(nodes)
    await look(rig)
    theirs = SlotMover(ADDRESSES[1], lambda: "x", nodes.login)
    whole = await in_thread(lambda: Shard.objects.filter(pool="cache", source_host__name="r3").first())
    parts = [(whole.first_slot, whole.last_slot), (whole.last_slot + 1, whole.last_slot + 10)]
    for part in parts:
        await theirs.fetch({"shard": "x", "seeds": nodes.seeds, "slots": list(part)}, time.monotonic() + 60)

    await look(rig)

    assert await in_thread(where) == really(nodes)
    assert await in_thread(ledger.drift) == {}
    assert (await in_thread(Shard.objects.get, pk=whole.pk)).last_slot == whole.last_slot


def test_its_shards_are_not_made_by_hand(rig: Rig, nodes: Nodes) -> None:
    """What a pool of a cluster must say, and what can't be done with its shards; removing it touches no slot."""
    for says in (
        {"seed": ""}, {"seed": "nothing"}, {"seed": "a:99999"}, {"parity": 1}, {"slots": 3}, {"spread_level": "zone"}
    ):  # fmt: skip
        with pytest.raises(Invalid):
            PutPool("other", **{"parity": 0, "mover": "redis", "seed": "a:1", **says}).run(SYSTEM)
    with pytest.raises(Invalid, match="mover redis"):
        PutPool("other", seed="a:1").run(SYSTEM)
    with pytest.raises(Conflict, match="nothing to find"):
        SurveyPool("default").run(SYSTEM)
    asyncio.run(look(rig))
    name = Shard.objects.filter(pool="cache")[0].name
    for action in (
        CreateShard("s", 1, "r1", pool="cache"),
        RemoveShard(name),
        ScrubShard(name),
        MeasureShard(name),
    ):
        with pytest.raises(Conflict, match="slots of a Redis Cluster"):
            action.run(SYSTEM)

    RemovePool("cache").run(SYSTEM)

    assert (Shard.objects.count(), ledger.drift(), Leftover.objects.count()) == (0, {}, 0)
    assert {line.reserved for line in Ledger.objects.filter(resource="memory")} == {0.0}
    nodes.check()


def swept(now: datetime) -> int:
    """As the controller does it: in a transaction."""
    with transaction.atomic():
        return survey_clusters(EPOCH, now)


def test_answers_that_cannot_be_right_are_said(rig: Rig) -> None:
    """Of agents that answer nonsense nothing is taken over; the page says what came of it, and it is asked again."""
    answers = (
        {}, {"nodes": [], "runs": [[0, 1, 0, 0, 0, 0, 0, 0]], "load_from": "keys", "open": []},
        {"nodes": [["127.0.77.1", 1, ""]], "runs": [[5, 4, 0, 0, 0, 0, 0, 0]], "load_from": "keys", "open": []},
    )  # fmt: skip
    for answer in answers:
        SurveyPool("cache").run(SYSTEM)
        swept(timezone.now())
        command = Command.objects.get(verb="slots.survey", state="pending")
        AnswerCommand(str(command.pk), True, answer).run(agent(command.host.name))
        swept(timezone.now())
        assert "can't be right" in SlotCluster.objects.get().error
    now = timezone.now()
    twice = {
        "nodes": [["127.0.77.1", 1, ""], ["127.0.77.1", 2, ""]],
        "runs": [],
        "load_from": "keys",
        "open": [],
    }
    assert swept(now) == 0
    assert swept(now + AGAIN + timedelta(seconds=1)) == 1
    command = Command.objects.get(verb="slots.survey", state="pending")
    AnswerCommand(str(command.pk), True, twice).run(agent(command.host.name))
    swept(now)
    assert SlotCluster.objects.get().error == "two masters are on r1; slots are moved between hosts"
    assert not Shard.objects.filter(pool="cache").exists()


def test_over_rest_and_on_its_page(rig: Rig, api: Any, browsers: Any) -> None:
    """Nodes, loads and what is wrong are shown; a look is asked for by operators."""
    asyncio.run(look(rig))

    shown = api.viewer.get("/api/v1/storage-pools/cache/").json()
    page = browsers.viewer.get(reverse("storage-pool", args=["cache"])).content.decode()

    assert (shown["kind"], shown["pieces"], len(shown["cluster"]["nodes"])) == ("redis cluster", 1, 3)
    assert api.viewer.get("/api/v1/storage-pools/").json()[0]["cluster"]["load_from"] == "keys"
    assert "shared out among their slots by keys" in page
    assert 'href="/hosts/r2/"' in page
    assert "Asks for the role operator" in page
    assert api.viewer.post("/api/v1/storage-pools/cache/survey/").status_code == 403
    assert api.operator.post("/api/v1/storage-pools/cache/survey/").status_code == 200
    url = reverse("survey-storage-pool", args=["cache"])
    assert browsers.operator.post(url)["location"] == reverse("storage-pool", args=["cache"])
    assert SlotCluster.objects.get().looked_at is None
