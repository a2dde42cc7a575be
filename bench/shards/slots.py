"""B4: slots of a real Redis Cluster made even, in memory and in operations, beside redis-cli's own rebalance.

Four masters and one that is new and has no slots yet, each on a host of its own. Their keys are of sizes that differ,
and one hash tag, thereby one slot, is large and often asked for. Ours is the product as it is used: agents joined, a
storage pool of the cluster, found while clients read, a plan of the pool applied and awaited. The peer works on a
cluster that was built anew with the same keys.

- B4.redis.mem_max_mean: what the keys of the fullest master take over the mean of all five. Judged by the servers' own
  used_memory, less what each had used before it had keys; the plan reckons with MEMORY USAGE, and doesn't see this.
- B4.redis.ops_max_mean: the same of GETs, as the servers have counted them of some that the benchmark asks for.
Neither side may lose a key, or leave a slot between two nodes.
"""

from __future__ import annotations

import asyncio
import math
import random
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any, Final

from redis.crc import key_slot

from bench.figures import Compared
from bench.joining import join as join_agents
from bench.plane import ControlPlane
from bench.rack.rack import Host, Rack
from bench.rack.specs import HostSpec
from bench.registry import Settings
from bench.results import Limit, Row, row
from bench.shards.carrying import LOOK_S, carry_out
from bench.shards.redis_nodes import PASSWORD, Nodes, NotSettled, join, server_argv
from clients.rest import Steelyard

MASTERS, PORT, POOL = 5, 7000, "cache"
SPECS: Final = [HostSpec(f"r{number}", 0.2, 128 * 2**20, 125e6) for number in range(1, MASTERS + 1)]
#: Bytes of values: the median, and by how much they differ (sigma of the logarithm).
MEDIAN, HOT_MEDIAN, SIGMA = 500.0, 10_000.0, 1.1
#: Of all that is asked, what is asked of the hot tag.
HOT_SHARE: Final = 0.2
#: What the plan is asked for.
EVEN: Final = 1.01
#: So many commands at once; between two of them, while the cluster is looked at, so many seconds.
TOGETHER, PAUSE_S = 100, 0.03
PATIENCE_S: Final = 400.0
#: Of other keys each: what is left to chance is their sizes.
ROUNDS: Final = 3
SEED: Final = 1
PEER: Final = "redis-cli --cluster rebalance"

#: Makes a cluster even; seconds that it took.
Rebalance = Callable[[Nodes], Awaitable[float]]


@dataclass(frozen=True)
class Keys:
    """Names with the bytes of their values: each in a slot by itself, and those of the hot tag."""

    plain: Mapping[str, int]
    hot: Mapping[str, int]

    @classmethod
    def made(cls, plain: int, hot: int, seed: int) -> Keys:
        """So many of either."""
        chance = random.Random(seed)

        def sizes(names: Iterable[str], median: float) -> dict[str, int]:
            return {name: max(1, round(chance.lognormvariate(math.log(median), SIGMA))) for name in names}

        return cls(
            sizes((f"key-{number}" for number in range(plain)), MEDIAN),
            sizes((f"{{hot}}-{number}" for number in range(hot)), HOT_MEDIAN),
        )

    def asked(self, count: int, seed: int) -> list[str]:
        """The names of so many requests."""
        chance, plain, hot = random.Random(seed), list(self.plain), list(self.hot)
        return [chance.choice(hot if chance.random() < HOT_SHARE else plain) for _ in range(count)]


@dataclass(frozen=True)
class Seen:
    """A cluster at rest. owners: slots by address. bytes: MEMORY USAGE by slot."""

    owners: Mapping[str, set[int]]
    bytes: Mapping[int, int]
    keys: int


@dataclass(frozen=True)
class Outcome:
    """What a rebalance came to. memory, ops: the fullest over the mean. slots, bytes: that have another owner."""

    memory: float
    ops: float
    slots: int
    bytes: int
    seconds: float

    def __str__(self) -> str:
        return f"memory {self.memory:.3f}, operations {self.ops:.3f}, {said([self])}"


async def run(settings: Settings) -> list[Row]:
    size = settings.pick((40_000, 200), (4_000, 20))
    #: Of a run: the pool's usual, or few runs of many.
    every = settings.pick(64, 256)
    reads = settings.pick(50_000, 5_000)
    ours: list[Outcome] = []
    peer: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="steelyard-slots-") as place:
        async with Rack(SPECS, prefix="s", kind="namespaces") as rack, ControlPlane(rack.gateway) as plane:
            hosts = list(rack)
            with Steelyard(plane.url, plane.token) as client:
                await _join_agents(client, hosts, Path(place))
                for seed in range(1, settings.pick(ROUNDS, 1) + 1):
                    keys = Keys.made(*size, seed)
                    ours.append(await _measured(hosts, keys, reads, partial(_by_plan, client, keys, every)))
                    peer.append(await _measured(hosts, keys, reads, _by_redis_cli))
                    settings.say(f"  slots, keys {seed}: {ours[-1]}; redis-cli {peer[-1]}")
    note = f"{sum(size):,} keys; ours, in runs of {every} slots, {said(ours)}; redis-cli {said(peer)}"
    memory, ops = (
        Compared.of([getattr(each, figure) for each in ours], [getattr(each, figure) for each in peer])
        for figure in ("memory", "ops")
    )
    return [
        row(
            "B4.redis.mem_max_mean", memory, "x mean", Limit("1.05", most=1.05),
            peer=PEER, packages=("redis",), note=note,
        ),
        row(
            "B4.redis.ops_max_mean", ops, "x mean", Limit("never worse", of="ratio", most=1.0),
            peer=PEER, packages=("redis",),
            note=f"{note}; this Redis does not count operations by slot, so that no plan can see the hot one",
        ),
    ]  # fmt: skip


async def _measured(hosts: Sequence[Host], keys: Keys, reads: int, rebalance: Rebalance) -> Outcome:
    """A cluster of its own for one rebalance. Raises NotSettled for a slot that is open, or a key that is lost."""
    async with _cluster(hosts) as nodes:
        empty = await asyncio.to_thread(_used, nodes)
        await asyncio.to_thread(_fill, nodes, keys)
        before = await asyncio.to_thread(_look, nodes)
        seconds = await rebalance(nodes)
        await asyncio.to_thread(nodes.check)
        if left := await asyncio.to_thread(nodes.open_slots):
            raise NotSettled(f"slots are between two nodes: {sorted(left)}")
        full = await asyncio.to_thread(_used, nodes)
        after = await asyncio.to_thread(_look, nodes)
        if after.keys != before.keys:
            raise NotSettled(f"there were {before.keys} keys, and there are {after.keys}")
        ops = await asyncio.to_thread(_count_reads, nodes, keys.asked(reads, SEED))
    slots = moved(before.owners, after.owners)
    took = [now - was for now, was in zip(full, empty, strict=True)]
    size = sum(before.bytes.get(slot, 0) for slot in slots)
    return Outcome(max_mean(took), max_mean(ops), len(slots), size, seconds)


@asynccontextmanager
async def _cluster(hosts: Sequence[Host]) -> AsyncIterator[Nodes]:
    """A master on each host, of which the last has no slots."""
    nodes = Nodes([host.address for host in hosts], PORT)
    processes = []
    # In memory: a node writes its view of the cluster to its disk with every slot that changes.
    with tempfile.TemporaryDirectory(prefix="steelyard-redis-", dir="/dev/shm") as memory:
        try:
            for host in hosts:
                place = Path(memory) / host.name
                place.mkdir()
                argv = server_argv("redis-server", host.address, PORT, place)
                processes.append((host, await host.start(argv)))
            await asyncio.to_thread(join, nodes, len(hosts) - 1)
            yield nodes
        finally:
            for host, process in processes:
                await host.kill(process)


async def _join_agents(client: Steelyard, hosts: Sequence[Host], place: Path) -> None:
    password = place / "password"
    password.write_text(PASSWORD)
    await join_agents(
        client, hosts, place,
        lambda host: ("--redis-node", f"{host.address}:{PORT}", "--redis-password-file", str(password)),
    )  # fmt: skip


async def _by_plan(client: Steelyard, keys: Keys, every: int, nodes: Nodes) -> float:
    """From asking for the plan to its end."""
    pool = {"data": 1, "parity": 0, "mover": "redis", "seed": nodes.seeds[0], "slots": every}
    await asyncio.to_thread(client.put, f"storage-pools/{POOL}/", pool)
    await _survey(client, nodes, keys)
    began = time.monotonic()
    plan = await asyncio.to_thread(client.post, "rebalances/", {"pool": POOL, "even": EVEN})
    await carry_out(client, plan["id"], PATIENCE_S)
    seconds = time.monotonic() - began
    await asyncio.to_thread(client.delete, f"storage-pools/{POOL}/")
    return seconds


async def _survey(client: Steelyard, nodes: Nodes, keys: Keys) -> None:
    """Have the cluster looked at while clients read."""
    stop = threading.Event()
    reading = asyncio.create_task(asyncio.to_thread(_read_until, stop, nodes, keys))
    try:
        before = (await _found(client))["seen_at"]
        await asyncio.to_thread(client.post, f"storage-pools/{POOL}/survey/")
        async with asyncio.timeout(PATIENCE_S):
            while (found := await _found(client))["seen_at"] == before:
                await asyncio.sleep(LOOK_S)
    finally:
        stop.set()
        await reading
    if found["error"]:
        raise NotSettled(found["error"])


async def _found(client: Steelyard) -> Any:
    return (await asyncio.to_thread(client.get, f"storage-pools/{POOL}/"))["cluster"]


async def _by_redis_cli(nodes: Nodes) -> float:
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *nodes.cli("rebalance", "--cluster-use-empty-masters"),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    if process.returncode:
        raise NotSettled(said.decode()[-1500:])
    return time.monotonic() - began


def _fill(nodes: Nodes, keys: Keys) -> None:
    chance, sizes = random.Random(SEED), {**keys.plain, **keys.hot}
    with nodes.client() as client:
        for names in _batches(list(sizes)):
            client.mset_nonatomic({name: chance.randbytes(sizes[name]) for name in names})


def _look(nodes: Nodes) -> Seen:
    sizes: dict[int, int] = defaultdict(int)
    count = 0
    for address in nodes.addresses:
        with nodes.node(address) as node:
            names = node.keys()
            count += len(names)
            for some in _batches(names):
                pipeline = node.pipeline(transaction=False)
                for name in some:
                    pipeline.memory_usage(name)
                for name, size in zip(some, pipeline.execute(), strict=True):
                    sizes[key_slot(name)] += size
    return Seen(nodes.owners(), sizes, count)


def _used(nodes: Nodes) -> list[int]:
    """Bytes of each node, as it says."""
    return [_said(nodes, address, "memory")["used_memory"] for address in nodes.addresses]


def _read_until(stop: threading.Event, nodes: Nodes, keys: Keys) -> None:
    """Ask at a steady pace."""
    seed = 0
    with nodes.client() as client:
        while not stop.wait(PAUSE_S):
            seed += 1
            _read(client, keys.asked(TOGETHER, seed))


def _count_reads(nodes: Nodes, names: Sequence[str]) -> list[int]:
    """How many of these reads each node has answered."""

    def counted() -> list[int]:
        stats = [_said(nodes, address, "commandstats") for address in nodes.addresses]
        return [each.get("cmdstat_get", {"calls": 0})["calls"] for each in stats]

    before = counted()
    with nodes.client() as client:
        for some in _batches(names):
            _read(client, some)
    return [now - was for now, was in zip(counted(), before, strict=True)]


def _read(client: Any, names: Sequence[str]) -> None:
    pipeline = client.pipeline()
    for name in names:
        pipeline.get(name)
    if not all(pipeline.execute()):
        raise NotSettled("a key has no value")


def _said(nodes: Nodes, address: str, section: str) -> Any:
    with nodes.node(address) as node:
        return node.info(section)


def _batches(names: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (names[start : start + TOGETHER] for start in range(0, len(names), TOGETHER))


def said(outcomes: Sequence[Outcome]) -> str:
    """What was moved, in the middle of some outcomes."""
    slots, size, seconds = (
        median(getattr(each, name) for each in outcomes) for name in ("slots", "bytes", "seconds")
    )
    return f"{slots:,.0f} slots with {size / 1e6:.1f} MB in {seconds:.0f} s"


def moved(before: Mapping[str, set[int]], after: Mapping[str, set[int]]) -> set[int]:
    """The slots that have another owner."""
    return {slot for address, slots in after.items() for slot in slots - before[address]}


def max_mean(amounts: Sequence[float]) -> float:
    """The largest over the mean."""
    return max(amounts) / mean(amounts)
