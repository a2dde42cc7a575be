"""Slots of a Redis or Valkey Cluster: the verbs of the mover "redis", and slots.survey, which says what is where.

A shard is a run of slots, and the host that keeps it the one whose master owns them. A move runs on the host that
takes the slots, which is where a fetch runs for every kind of shard; the keys go from node to node.

Theory of operation, of one slot at a time
- The node that takes it is told IMPORTING, the one that has it MIGRATING: from then on a key is served where it is, and
  a key that is nowhere is made where it will stay. So going on is always safe, and loses nothing.
- MIGRATE takes keys over in batches, each counted against the rate. What both have since an answer was lost is
  replaced: the node that has the slot served it all the while.
- When none is left the taker is told NODE first, then the giver, then all others. Killed in between, whoever comes next
  reads from the nodes what is open, and goes on from there; nothing is remembered here.
- A drop finishes the slot that is open, and takes no further one: what moved has moved, whole. Nothing is brought back:
  the giver can take keys only once it is told that nothing is open, and then clients miss those that are still away.
  So a slot is not opened where the taker has no room for it; where that fills up meanwhile both serve until it has.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agents.commands import Refusal
from agents.pace import Pace
from agents.redis_cluster import SLOTS, Cluster, Login, Master, all_of, opened
from agents.slot_survey import size_of, survey

#: MIGRATE stops a node's other work while it lasts: so much goes at once, and a tenth of a second of the rate.
BATCH_KEYS = 100
BATCH_BYTES = 512 * 1024
BATCH_S = 0.1
MIGRATE_MS = 10_000
#: A batch that can't go now (a key is busy, a node was slow) is tried again so often, later each time.
TRIES = 8
AGAIN_S = 0.05
#: Of these another try makes something else; all others are told as they are.
PASSING = ("IOERR", "BUSYKEY", "TRYAGAIN", "LOADING", "Timeout", "CLUSTERDOWN")
WINDOW_S = (0.1, 30.0)


@dataclass(frozen=True)
class Run:
    """Slots first to last, both included, of the cluster that is found by these addresses."""

    first: int
    last: int
    seeds: tuple[tuple[str, int], ...]

    @property
    def slots(self) -> range:
        return range(self.first, self.last + 1)

    @property
    def digest(self) -> str:
        """Of which slots these are: what is in them changes while it is served."""
        return hashlib.sha256(f"slots {self.first}-{self.last}".encode()).hexdigest()


class Course(Pace):
    """A pace with an end: waits as long as it demands, until the deadline."""

    def __init__(
        self, deadline: float, rate_bytes_s: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(rate_bytes_s, clock)
        self._deadline = deadline

    def check(self) -> None:
        """Raises Refusal once time is up."""
        if self._clock() >= self._deadline:
            raise Refusal("expired before it was done")

    async def gone(self, count: int) -> None:
        """Count bytes and wait as long as the rate demands."""
        wait_s = self.went(count)
        await asyncio.sleep(max(0.0, min(wait_s, self._deadline - self._clock())))
        self.check()


class SlotMover:
    """Carries out the shard verbs for the master on this host. address, name: by which it is told from the others."""

    def __init__(
        self, address: str, name: Callable[[], str], login: Login, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._address, self._name, self._login, self._clock = address, name, login, clock
        self._fetching: dict[str, asyncio.Task[dict[str, Any]]] = {}

    def close(self) -> None:
        """End what is under way; what is open stays open, and the next who comes goes on."""
        for task in list(self._fetching.values()):
            task.cancel()

    async def serve(self, args: dict[str, Any], deadline: float) -> dict[str, Any]:
        """{seeds, slots} -> {port, bytes, digest}: nothing is opened, the nodes listen already. bytes: 0, for what is
        in the slots changes."""
        run = self._run(args)
        async with opened(run.seeds, self._login) as cluster:
            return {"port": self._own(cluster).port, "bytes": 0, "digest": run.digest}

    async def fetch(self, args: dict[str, Any], deadline: float) -> dict[str, Any]:
        """{seeds, slots, shard, rate_bytes_s} -> {bytes, digest}: afterwards the master here owns the whole run."""
        run, shard = self._run(args), str(args.get("shard"))
        rate = args.get("rate_bytes_s")
        if rate is not None and not (isinstance(rate, int | float) and 0 < rate < float("inf")):
            raise Refusal("rate_bytes_s: a number above 0")
        if shard in self._fetching:
            raise Refusal(f"shard {shard!r} is already being fetched")
        task = asyncio.ensure_future(self._fetch(run, Course(deadline, rate, self._clock)))
        self._fetching[shard] = task
        task.add_done_callback(lambda _: self._fetching.pop(shard, None))
        return await task

    async def _fetch(self, run: Run, course: Course) -> dict[str, Any]:
        async with opened(run.seeds, self._login) as cluster:
            own = self._own(cluster)
            for slot in run.slots:
                await bring(cluster, slot, own, course)
            await agree(cluster, run, own, course)
            return {"bytes": course.moved_bytes, "digest": run.digest}

    async def verify(self, args: dict[str, Any], deadline: float) -> dict[str, Any]:
        """{seeds, slots} -> {bytes, digest}: the digest where the master here owns all of them and none is open."""
        run = self._run(args)
        async with opened(run.seeds, self._login) as cluster:
            own = cluster.at(self._address, self._name())
            nodes = cluster.masters.values()
            is_open = any(
                slot in node.importing or slot in node.migrating for node in nodes for slot in run.slots
            )
            whole = own is not None and own.slots.issuperset(run.slots) and not is_open
            return {"bytes": 0, "digest": run.digest if whole else ""}

    async def drop(self, args: dict[str, Any], deadline: float) -> dict[str, Any]:
        """{seeds, slots, shard} -> {}: nothing of the run is open here. Slots are never deleted."""
        run = self._run(args)
        task = self._fetching.get(str(args.get("shard")))
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        async with opened(run.seeds, self._login) as cluster:
            own = cluster.at(self._address, self._name())
            if own is None:
                return {}  # It is no master any more: what was open here is not.
            course = Course(deadline, None, self._clock)
            for slot in run.slots:
                others = cluster.masters.values()
                if slot in own.importing or any(each.migrating.get(slot) == own.id for each in others):
                    await bring(cluster, slot, own, course)
        return {}

    async def survey(self, args: dict[str, Any], deadline: float) -> dict[str, Any]:
        """{seeds, every, cuts, window_s} -> what agents/slot_survey.py says of the cluster."""
        every, cuts, window = args.get("every"), args.get("cuts"), args.get("window_s")
        if type(every) is not int or not 1 <= every <= SLOTS:
            raise Refusal(f"every: a whole number from 1 to {SLOTS}")
        if not isinstance(cuts, list) or not all(type(cut) is int for cut in cuts):
            raise Refusal("cuts: slots")
        if not isinstance(window, int | float) or not WINDOW_S[0] <= window <= WINDOW_S[1]:
            raise Refusal(f"window_s: {WINDOW_S[0]:g} to {WINDOW_S[1]:g}")
        async with opened(self._login.seeds(args.get("seeds")), self._login) as cluster:
            return await survey(cluster, every, cuts, window, self._clock)

    def _run(self, args: dict[str, Any]) -> Run:
        match args.get("slots"):
            case [int(first), int(last)] if 0 <= first <= last < SLOTS:
                return Run(first, last, self._login.seeds(args.get("seeds")))
        raise Refusal(f"slots: the first and the last, 0 to {SLOTS - 1}")

    def _own(self, cluster: Cluster) -> Master:
        own = cluster.at(self._address, self._name())
        if own is None:
            raise Refusal(f"no master of the cluster is at {self._address}, nor called {self._name()}")
        if not own.answered:
            raise Refusal(f"{own} does not answer")
        return own


async def bring(cluster: Cluster, slot: int, own: Master, course: Course) -> None:
    """Make own the owner of the slot, wherever that stopped before. Raises Refusal."""
    giver = cluster.owner(slot)
    if giver is not own:
        course.check()
        if giver.migrating.get(slot) != own.id:
            await _has_room(cluster, slot, giver, own)
        if own.importing.get(slot) != giver.id:
            await cluster.say(own, "CLUSTER", "SETSLOT", slot, "IMPORTING", giver.id)
            own.importing[slot] = giver.id
        if giver.migrating.get(slot) != own.id:
            await cluster.say(giver, "CLUSTER", "SETSLOT", slot, "MIGRATING", own.id)
            giver.migrating[slot] = own.id
        words = ["REPLACE", *cluster.login.words()]
        more = True
        while more:
            keys = await cluster.say(giver, "CLUSTER", "GETKEYSINSLOT", slot, BATCH_KEYS)
            for batch, size in await _batches(
                cluster, giver, keys, course.batch_bytes(BATCH_S, 1, BATCH_BYTES)
            ):
                await _migrate(cluster, giver, own, words, batch)
                await course.gone(size)
            # None is made there any more: fewer than were asked for are the last.
            more = len(keys) == BATCH_KEYS
    if giver is not own or any(
        slot in each.importing or slot in each.migrating or slot in each.doubts
        for each in _answering(cluster)
    ):
        await _tell_all(cluster, slot, own)
        giver.slots.discard(slot)
        own.slots.add(slot)


async def agree(cluster: Cluster, run: Run, own: Master, course: Course) -> None:
    """See that all masters know the owner. One that gave a slot away may have claimed it once more, with a newer epoch
    since it took another one meanwhile: then a newer one still settles it. Raises Refusal."""
    for attempt in range(1, TRIES + 1):
        course.check()
        await cluster.look()
        own = cluster.masters[own.id]
        if not own.slots.issuperset(run.slots):
            raise Refusal(f"{own} does not own slots {run.first}-{run.last}; somebody else moves them too")
        told = [slot for slot in run.slots if any(slot in each.doubts for each in _answering(cluster))]
        if not told:
            return
        await asyncio.sleep(AGAIN_S * attempt)
        await cluster.say(own, "CLUSTER", "BUMPEPOCH")
        for slot in told:
            await _tell_all(cluster, slot, own)
    raise Refusal(f"the nodes don't agree who owns slots {run.first}-{run.last}")


def _answering(cluster: Cluster) -> list[Master]:
    return [each for each in cluster.masters.values() if each.answered]


async def _tell_all(cluster: Cluster, slot: int, own: Master) -> None:
    """The taker first, then the giver, who still sends clients on. Who is not there hears it from the others."""

    async def tell(master: Master) -> None:
        await cluster.say(master, "CLUSTER", "SETSLOT", slot, "NODE", own.id)
        master.importing.pop(slot, None)
        master.migrating.pop(slot, None)
        master.doubts.discard(slot)

    others = [each for each in _answering(cluster) if each is not own]
    givers = [each for each in others if slot in each.migrating]
    for master in (own, *givers):
        await tell(master)
    await all_of(tell(each) for each in others if each not in givers)


async def _has_room(cluster: Cluster, slot: int, giver: Master, own: Master) -> None:
    """Not to begin what can't end. Raises Refusal."""
    if own.most_bytes is None:
        own.most_bytes = int((await cluster.say(own, "INFO", "memory")).get("maxmemory", 0))
    if own.most_bytes:
        memory = await cluster.say(own, "INFO", "memory")
        needs = await size_of(cluster, giver, slot)
        free = own.most_bytes - int(memory["used_memory"])
        if needs > free:
            raise Refusal(
                f"{own} is full: slot {slot} has {needs} bytes, {max(free, 0)} of maxmemory are free"
            )


async def _batches(
    cluster: Cluster, giver: Master, keys: list[bytes], most_bytes: float
) -> list[tuple[list[bytes], int]]:
    """The keys in batches of at most so many bytes, or of one key, each with its bytes."""
    said = await cluster.say_all(giver, [("MEMORY", "USAGE", key) for key in keys])
    batches: list[tuple[list[bytes], int]] = []
    for key, answer in zip(keys, said, strict=True):
        size = answer if isinstance(answer, int) else 0  # It went meanwhile.
        if batches and batches[-1][1] + size <= most_bytes:
            batches[-1] = ([*batches[-1][0], key], batches[-1][1] + size)
        else:
            batches.append(([key], size))
    return batches


async def _migrate(
    cluster: Cluster, giver: Master, taker: Master, words: list[str], keys: list[bytes]
) -> None:
    """Take keys over, again where it can't be now. Raises Refusal."""
    for attempt in range(1, TRIES + 1):
        try:
            await cluster.say(
                giver, "MIGRATE", taker.ip, taker.port, "", 0, MIGRATE_MS, *words, "KEYS", *keys
            )
            return
        except Refusal as error:
            if attempt == TRIES or not any(word in str(error) for word in PASSING):
                raise
        await asyncio.sleep(AGAIN_S * attempt)
