"""One Redis or Valkey Cluster as an agent sees it: its masters, who owns which slot, and which slots are open.

redis-py is imported when the first command needs it: most hosts have no cluster, and it takes 7 MB resident.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from agents.commands import Refusal

SLOTS = 16_384
CONNECT_S = 5.0
#: A node that moves a large key answers nobody meanwhile.
ANSWER_S = 60.0
#: Commands sent in one go, so that a node serves its clients in between.
TOGETHER = 200

Answer = TypeVar("Answer")

log = logging.getLogger("steelyard.agent")


@dataclass(frozen=True)
class Login:
    """How this host's agent logs in. node: the HOST:PORT by which the others are found, "" to be told that. The
    password stays in its file, so that it can be replaced, and goes to nodes that `node` knows alone: who may say where
    a cluster is does not get it by that.
    """

    node: str = ""
    user: str = ""
    password_file: str = ""

    def seeds(self, told: object) -> tuple[tuple[str, int], ...]:
        """The addresses to begin with. Raises Refusal."""
        return tuple(read_address(text) for text in ([self.node] if self.node else _texts(told)))

    def password(self) -> str:
        """Raises Refusal where the file can't be read."""
        if not (self.node and self.password_file):
            return ""
        try:
            return Path(self.password_file).read_text().strip()
        except OSError as error:
            raise Refusal(f"the Redis password: {self.password_file}: {error.strerror}") from None

    def words(self) -> list[str]:
        """What MIGRATE says to the node that takes the keys."""
        password = self.password()
        if not password:
            return []
        return ["AUTH2", self.user, password] if self.user else ["AUTH", password]


@dataclass
class Master:
    """A master as it was seen last. slots: that it owns. Of one that answered also: importing, migrating, its open
    slots and the other node's id; doubts, the slots of which it thinks that another one is the owner. most_bytes: its
    maxmemory, 0 for none; None where nobody asked.
    """

    id: str
    ip: str
    port: int
    hostname: str = ""
    epoch: int = 0
    slots: set[int] = field(default_factory=set)
    importing: dict[int, str] = field(default_factory=dict)
    migrating: dict[int, str] = field(default_factory=dict)
    doubts: set[int] = field(default_factory=set)
    answered: bool = False
    most_bytes: int | None = None

    def __str__(self) -> str:
        return f"{self.ip}:{self.port}"


class Cluster:
    """Connections to one cluster. Everything that is said to a node goes through say() and say_all()."""

    def __init__(self, seeds: Sequence[tuple[str, int]], login: Login) -> None:
        self._seeds, self._login = seeds, login
        self._clients: dict[tuple[str, int], Any] = {}
        self.masters: dict[str, Master] = {}

    @property
    def login(self) -> Login:
        return self._login

    async def look(self) -> None:
        """Learn the masters from the first address that answers, and of each what is open there. Raises Refusal."""
        said = ""
        for seed in dict.fromkeys((*self._seeds, *((each.ip, each.port) for each in self.masters.values()))):
            try:
                self.masters = read_nodes(await self._ask(seed, "CLUSTER", "NODES"), seed[0])
                break
            except Refusal as error:
                said = str(error)
        else:
            raise Refusal(f"no node of the cluster answers: {said}")
        views = await all_of(self._look_at(master) for master in self.masters.values())
        owners = owners_of(self.masters.values())
        for master, view in zip(self.masters.values(), views, strict=True):
            seen = owners_of(view.values())
            master.slots = {slot for slot in range(SLOTS) if owners[slot] == master.id}
            master.doubts = {slot for slot in range(SLOTS) if master.answered and seen[slot] != owners[slot]}

    async def _look_at(self, master: Master) -> dict[str, Master]:
        """What it says itself, which goes before what others say of it. Its view of all; none where it is silent."""
        try:
            view = read_nodes(await self.say(master, "CLUSTER", "NODES"), master.ip)
        except Refusal as error:
            log.warning("a node of the cluster does not say what is open there: %s", error)
            return {}
        me = view.get(master.id)
        if me is not None:
            master.importing, master.migrating = me.importing, me.migrating
            master.slots, master.epoch, master.answered = me.slots, me.epoch, True
        return view

    def at(self, address: str, name: str) -> Master | None:
        """The master on the host of this address, or that calls itself by this name. Raises Refusal for several: it
        would not be known which one is meant."""
        here = [each for each in self.masters.values() if address == each.ip or name == each.hostname != ""]
        if len(here) > 1:
            raise Refusal(
                f"{len(here)} masters of the cluster are on this host; slots are moved between hosts"
            )
        return here[0] if here else None

    def owner(self, slot: int) -> Master:
        """Raises Refusal for a slot that nobody owns."""
        for master in self.masters.values():
            if slot in master.slots:
                return master
        raise Refusal(f"no node owns slot {slot}")

    async def say(self, master: Master, *words: Any) -> Any:
        """One command to one node. Raises Refusal with what the node answered, or why it did not."""
        return await self._ask((master.ip, master.port), *words)

    async def say_all(self, master: Master, commands: Iterable[Sequence[Any]]) -> list[Any]:
        """Many commands to one node, some at a time. An answer that is an error is in its place."""
        waiting, answers = list(commands), []
        for start in range(0, len(waiting), TOGETHER):
            pipeline = self._client((master.ip, master.port)).pipeline(transaction=False)
            for words in waiting[start : start + TOGETHER]:
                pipeline.execute_command(*words)
            answers += await _answered(master, partial(pipeline.execute, raise_on_error=False))
        return answers

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()

    async def _ask(self, where: tuple[str, int], *words: Any) -> Any:
        client = self._client(where)
        return await _answered(f"{where[0]}:{where[1]}", partial(client.execute_command, *words))

    def _client(self, where: tuple[str, int]) -> Any:
        if where not in self._clients:
            client, retry = _library()
            self._clients[where] = client(
                host=where[0], port=where[1], username=self._login.user or None,
                password=self._login.password() or None, socket_connect_timeout=CONNECT_S, socket_timeout=ANSWER_S,
                retry=retry,
            )  # fmt: skip
        return self._clients[where]


@asynccontextmanager
async def opened(seeds: Sequence[tuple[str, int]], login: Login) -> AsyncIterator[Cluster]:
    """The cluster, looked at. Raises Refusal."""
    cluster = Cluster(seeds, login)
    try:
        await cluster.look()
        yield cluster
    finally:
        await cluster.close()


def read_address(text: str) -> tuple[str, int]:
    """Of HOST:PORT. Raises Refusal."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise Refusal(f"{text[:80]!r} is no address of the form HOST:PORT")
    return host.strip("[]"), int(port)


def _texts(told: object) -> list[str]:
    if not isinstance(told, list) or not told or not all(isinstance(each, str) for each in told):
        raise Refusal("seeds: addresses are needed")
    return told


def read_nodes(text: bytes | str, asked: str = "") -> dict[str, Master]:
    """The masters of CLUSTER NODES that are not known to have failed, by id. asked: the address under which a node
    was reached that does not know its own yet."""
    lines = (text.decode() if isinstance(text, bytes) else text).splitlines()
    found = {}
    for line in lines:
        parts = line.split()
        flags = set(parts[2].split(","))
        if "master" not in flags or flags & {"fail", "noaddr", "handshake"}:
            continue
        address, _, names = parts[1].partition(",")
        ip, _, port = address.partition("@")[0].rpartition(":")
        master = Master(parts[0], ip or asked, int(port), names.partition(",")[0], int(parts[6]))
        for word in parts[8:]:
            _read_slots(master, word)
        found[master.id] = master
    return found


async def all_of(asked: Iterable[Awaitable[Answer]]) -> list[Answer]:
    """What all of them answer, at once. Nothing of them is under way any more when one of their errors is raised."""
    answers = await asyncio.gather(*asked, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return [answer for answer in answers if not isinstance(answer, BaseException)]


def owners_of(masters: Iterable[Master]) -> list[str]:
    """By slot the owner's id, "" for none; of two that claim it, as while one is not told yet, the newer one."""
    owners = [""] * SLOTS
    for master in sorted(masters, key=lambda each: each.epoch):
        for slot in master.slots:
            owners[slot] = master.id
    return owners


def _read_slots(master: Master, word: str) -> None:
    """7, 0-5460, [93-<-ID] (is coming from), [77->-ID] (is going to)."""
    if word.startswith("["):
        slot, arrow, other = word.strip("[]").split("-", 2)
        # Of "93-<-ID" the arrow is the middle part.
        (master.importing if arrow == "<" else master.migrating)[int(slot)] = other
        return
    first, _, last = word.partition("-")
    master.slots.update(range(int(first), int(last or first) + 1))


async def _answered(who: object, ask: Callable[[], Awaitable[Any]]) -> Any:
    from redis.exceptions import RedisError

    try:
        return await ask()
    except (RedisError, OSError) as error:
        raise Refusal(f"{who}: {error or type(error).__name__}") from error


def _library() -> tuple[Any, Any]:
    """The client, and what it does about a connection that fails: nothing, for what is to be said again is decided
    where it is said. Raises Refusal."""
    try:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError:
        raise Refusal(
            "redis-py is not on this host: install python3-redis, or redis from the registry"
        ) from None
    return Redis, Retry(NoBackoff(), 0)
