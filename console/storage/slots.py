"""Slots of a Redis or Valkey Cluster as shards: found by looking at the cluster, then planned and moved as any.

Theory of operation
- Every five minutes, or when asked to, an agent on a host of the cluster is told slots.survey; its answer says where
  each run of slots is, how large, and what it takes of its node. The nodes' passwords are that agent's own.
- A run is a shard with one replica, on the host whose master owns it. Runs begin at multiples of the pool's `slots`,
  where the owner changes, and where one that is known begins. It is named by its first slot: one that is cut keeps its
  name for its first part.
- The cluster is right: what somebody else moved is where it was found. What a move is about is left to the move, also
  where that ended after the look began.
Only the controller calls this, with its epoch.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec
from django.db import transaction
from django.db.models import Q

from balancer_core.decision import NO_TERMS
from balancer_core.decision import Decision as CoreDecision
from console.actions import SYSTEM, Action, Actor
from console.fleet.actions.commands import give
from console.fleet.models import Command, Host
from console.live.picture import picture
from console.placements import ledger
from console.placements.actions.commit import decision_row
from console.placements.actions.release import announce_release, release_all
from console.placements.models import Decision, Placement
from console.storage.demand import demand_of
from console.storage.models import MOST_SEEDS, Move, Replica, Shard, SlotCluster, StoragePool
from console.storage.moving import UNDER_WAY

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=5)
#: After a look that came to nothing.
AGAIN = timedelta(seconds=30)
LOOK_LIFE_S = 120.0
#: Loads are rates over so long.
WINDOW_S = 2.0

Amount = Annotated[int, msgspec.Meta(ge=0, le=2**60)]
Slot = Annotated[int, msgspec.Meta(ge=0, le=16_383)]


class Survey(msgspec.Struct):
    """What an agent answers; agents are not trusted. runs: first, last, node's number, keys, bytes, cpu us/s, bytes
    in/s, bytes out/s."""

    nodes: list[tuple[str, Annotated[int, msgspec.Meta(ge=1, le=65535)], str]]
    runs: list[tuple[Slot, Slot, Amount, Amount, Amount, Amount, Amount, Amount]]
    load_from: Literal["slot-stats", "keys"]
    open: list[Slot]

    def __post_init__(self) -> None:
        last = -1
        for first, end, node, *_ in self.runs:
            if not last < first <= end or node >= len(self.nodes):
                raise ValueError("runs overlap, or are of no node")
            last = end


@dataclass
class _Found(Action[None]):
    """What a look changed."""

    pool: str
    said: str

    NAME = "storage-pool.survey"

    def execute(self, actor: Actor) -> None:
        self.record(actor, "storage-pool", self.pool, reason=self.said)


def survey_clusters(epoch: int, now: datetime) -> int:
    """Have clusters looked at that are due, and take over what was found, in the caller's transaction. Returns how
    many changed."""
    changed = 0
    for cluster in SlotCluster.objects.select_for_update(of=("self",)).select_related("pool", "look"):
        look = cluster.look
        if look is not None and look.state == Command.State.PENDING:
            continue
        if look is not None:
            _take(cluster, look, now)
        elif _is_due(cluster, now):
            _ask(cluster, epoch, now)
        else:
            continue
        cluster.save()
        changed += 1
    return changed


def _is_due(cluster: SlotCluster, now: datetime) -> bool:
    if cluster.looked_at is None or now - cluster.looked_at > (AGAIN if cluster.error else EVERY):
        return True
    # Of a move that failed a part of the run may have gone, slot by slot.
    failed = Move.objects.filter(shard__pool=cluster.pool, state=Move.State.FAILED)
    return failed.filter(ended_at__gt=cluster.looked_at).exists()


def _ask(cluster: SlotCluster, epoch: int, now: datetime) -> None:
    pool = cluster.pool
    cluster.looked_at = now
    address = pool.seed.rpartition(":")[0].strip("[]")
    known = [node["host"] for node in cluster.nodes]
    near = Host.objects.filter(Q(address=address) | Q(name=address) | Q(name__in=known), lost_since=None)
    # At the seed first: it is where the operator knows of one.
    hosts = sorted(near, key=lambda host: (address not in (host.address, host.name), host.name))
    if not hosts:
        cluster.error = f"no host with an agent that is heard of is at {pool.seed}"
        return
    seeds = list(dict.fromkeys([pool.seed, *(node["address"] for node in cluster.nodes)]))[:MOST_SEEDS]
    cuts = pool.shards.filter(first_slot__isnull=False).values_list("first_slot", flat=True)
    args = {"seeds": seeds, "every": pool.slots, "cuts": sorted(cuts), "window_s": WINDOW_S}
    cluster.look = give(hosts[0], "slots.survey", args, epoch=epoch, life_s=LOOK_LIFE_S)


def _take(cluster: SlotCluster, look: Command, now: datetime) -> None:
    cluster.look = None
    if look.state != Command.State.DONE:
        cluster.error = f"{look.host.name} could not look: {look.error}"[:500]
        return
    try:
        survey = msgspec.convert(look.result, Survey)
    except (msgspec.ValidationError, ValueError) as error:
        cluster.error = f"{look.host.name}'s answer can't be right: {error}"[:500]
        return
    finally:
        # Said in the rows now, and large.
        Command.objects.filter(pk=look.pk).update(result={})
    hosts = _hosts_of(survey)
    names = [host.name for host in hosts if host is not None]
    if twice := next((name for name in names if names.count(name) > 1), None):
        cluster.error = f"two masters are on {twice}; slots are moved between hosts"
        return
    cluster.nodes = [
        {"host": host.name if host else "", "address": f"{ip}:{port}", "name": name}
        for (ip, port, name), host in zip(survey.nodes, hosts, strict=True)
    ]
    cluster.load_from, cluster.open, cluster.seen_at = survey.load_from, survey.open, now
    strange = [node["address"] for node in cluster.nodes if not node["host"]]
    cluster.error = f"no host with an agent is at {', '.join(strange)}"[:500] if strange else ""
    with transaction.atomic():
        _adopt(cluster.pool, survey, hosts, look.created_at)


def _hosts_of(survey: Survey) -> list[Host | None]:
    addresses, names = (
        zip(*((ip, name) for ip, _, name in survey.nodes), strict=True) if survey.nodes else ((), ())
    )
    found = list(Host.objects.filter(Q(address__in=addresses) | Q(name__in=[each for each in names if each])))
    return [
        next((host for host in found if host.address == ip or host.name == name), None)
        for ip, _, name in survey.nodes
    ]


def _adopt(pool: StoragePool, survey: Survey, hosts: list[Host | None], since: datetime) -> None:
    """Bring shards, replicas and promises to what was found. since: what moves did later is not in it."""
    later = Q(state__in=UNDER_WAY) | Q(ended_at__gte=since) | Q(cut_over_at__gte=since)
    moving = set(Move.objects.filter(later, shard__pool=pool).values_list("shard_id", flat=True))
    shards = {shard.first_slot: shard for shard in pool.shards.filter(first_slot__isnull=False)}
    theirs = [each for each in shards.values() if each.pk in moving]
    left = {slot for each in theirs for slot in range(each.first_slot, each.last_slot + 1)}
    replicas = {each.shard_id: each for each in _replicas(pool)}
    new: list[tuple[Shard, Host]] = []
    gone = {first for first, shard in shards.items() if shard.pk not in moving}
    elsewhere: list[tuple[Replica, Host]] = []
    for first, last, node, _, size, cpu, come, go in survey.runs:
        host = hosts[node]
        if host is None or not left.isdisjoint(range(first, last + 1)):
            continue
        gone.discard(first)
        shard = shards.get(first) or Shard(
            name=f"{pool.name}-{first}",
            pool=pool,
            replica_count=1,
            spread_level=pool.spread_level,
            first_slot=first,
        )
        shard.pool, shard.source_host, shard.last_slot = pool, host, last
        shard.bytes, shard.cpu, shard.write_bytes_s, shard.read_bytes_s = size, cpu / 1e6, come, go
        if shard.pk is None:
            new.append((shard, host))
        elif (replica := replicas.get(shard.pk)) is not None and replica.placement.host_id != host.pk:
            elsewhere.append((replica, host))
    _let_go([shards[first] for first in gone], replicas)
    fields = ["source_host", "last_slot", "bytes", "cpu", "write_bytes_s", "read_bytes_s"]
    Shard.objects.bulk_update(
        [each for first, each in shards.items() if first not in gone], fields, batch_size=500
    )
    Shard.objects.bulk_create([shard for shard, _ in new])
    _place(pool, new, elsewhere)
    short = _promise(pool)
    if new or gone or elsewhere:
        counts = ((len(new), "new"), (len(gone), "gone"), (len(elsewhere), "elsewhere"))
        said = (
            f"{len(survey.runs):,} runs of slots; "
            + ", ".join(f"{n:,} {what}" for n, what in counts if n)
            + "."
        )
        if short:
            said += f" No room in the ledger for all of it on {', '.join(short)}."
        _Found(pool.name, said[:500]).run(SYSTEM)


def _replicas(pool: StoragePool) -> Iterable[Replica]:
    return Replica.objects.filter(shard__pool=pool).select_related("placement__host", "shard")


def _let_go(shards: list[Shard], replicas: Mapping[int, Replica]) -> None:
    """Runs whose slots nobody owns, or a node on no host of ours."""
    held = [replicas[shard.pk].placement for shard in shards if shard.pk in replicas]
    for placement in release_all(held):
        transaction.on_commit(lambda placement=placement: announce_release(placement))
    Shard.objects.filter(pk__in=[shard.pk for shard in shards]).delete()


def _place(pool: StoragePool, new: list[tuple[Shard, Host]], elsewhere: list[tuple[Replica, Host]]) -> None:
    """Replicas where their slots were found. What they hold of the ledger is for _promise."""
    made = [(shard, host, Replica(shard=shard)) for shard, host in new]
    made += [(replica.shard, host, replica) for replica, host in elsewhere]
    decisions, placements = list[Decision](), list[Placement]()
    for shard, host, replica in made:
        decisions.append(decision_row(_found_on(shard, host)))
        if replica.pk is not None:
            for placement in release_all([replica.placement]):
                transaction.on_commit(lambda placement=placement: announce_release(placement))
        placements.append(
            Placement(decision=decisions[-1], host=host, kind="shard", name=f"{shard.name}/0", demand={})
        )
        replica.placement, replica.state, replica.leader = placements[-1], Replica.State.READY, True
    Decision.objects.bulk_create(decisions, batch_size=500)
    Placement.objects.bulk_create(placements, batch_size=500)
    Replica.objects.bulk_create([replica for _, _, replica in made if replica.pk is None], batch_size=500)
    Replica.objects.bulk_update([replica for replica, _ in elsewhere], ["placement", "state"], batch_size=500)


def _promise(pool: StoragePool) -> list[str]:
    """Bring the ledger to what the runs ask for now, host by host. Returns the hosts that have no room for it: these
    keep what they have promised, and the next plan reckons with what is asked."""
    by_host: dict[int, list[Placement]] = defaultdict(list)
    wanted: dict[int, dict[str, float]] = {}
    for replica in _replicas(pool):
        replica.shard.pool = pool
        by_host[replica.placement.host_id].append(replica.placement)
        wanted[replica.placement.pk] = demand_of(replica.shard, leader=True)  # type: ignore[index]
    ledger.lock(by_host)
    short, changed = [], []
    for host, placements in sorted(by_host.items()):
        rise: dict[str, float] = defaultdict(float)
        for placement in placements:
            for name, amount in wanted[placement.pk].items():  # type: ignore[index]
                rise[name] += amount
            for name, amount in placement.demand.items():
                rise[name] -= amount
        more = {name: amount for name, amount in sorted(rise.items()) if amount > 0}
        less = {name: -amount for name, amount in sorted(rise.items()) if amount < 0}
        if more and not ledger.reserve(host, more):
            short.append(placements[0].host.name)
            continue
        ledger.release({host: less})
        for placement in placements:
            placement.demand = wanted[placement.pk]  # type: ignore[index]
        changed += placements
        for amounts, sign in ((more, 1), (less, -1)):
            transaction.on_commit(
                lambda name=placements[0].host.name, amounts=amounts, sign=sign: picture.reserve(
                    name, amounts, sign
                )
            )
    Placement.objects.bulk_update(changed, ["demand"], batch_size=500)
    return short


def _found_on(shard: Shard, host: Host) -> CoreDecision:
    """A decision that was not ours, so that what is held has one."""
    return CoreDecision(
        kind="shard", name=f"{shard.name}/0", demand=demand_of(shard, leader=True), policy="", policy_version="",
        outcome="placed", host=host.name, sentence=f"Found on {host.name}: its node owns these slots of the cluster.",
        terms=NO_TERMS, candidates=(), rejected={}, rejections=(), rejections_more=0, changes=(), considered=0,
        feasible=0, snapshot_version=0, report_age_s=None, oldest_report_s=None, never_reported=0,
    )  # fmt: skip
