"""Hosts with real movers and real trees, and a controller that goes on from whatever the database says."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from control_rig import agent
from django.db import connection, connections, transaction
from django.utils import timezone

from agents.commands import Refusal
from agents.manifest import summarise
from agents.mover import TreeMover
from agents.movers import Movers, NoMover
from agents.redis_cluster import Login
from agents.shards import ShardRoot
from agents.slots import SlotMover
from console.fleet.actions.commands import AnswerCommand, expire_old_commands
from console.fleet.models import Command
from console.live.picture import picture
from console.storage.leftovers import AGAIN
from console.storage.models import Leftover, Move, Replica, Shard
from console.storage.sweep import sweep_shards

P = ParamSpec("P")
R = TypeVar("R")

EPOCH = 7
NO_LOGIN = Login()
TREE_BYTES = 3000


async def in_thread(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Off the event loop, with a connection to the database that is closed again."""

    def run() -> R:
        try:
            return work(*args, **kwargs)
        finally:
            connections.close_all()

    return await asyncio.to_thread(run)


class Killed(BaseException):
    """The process is no more."""


class Host:
    """One host's agent, as far as shards go: its root on disk and the commands that it carries out."""

    def __init__(self, name: str, address: str, root: Path, login: Login) -> None:
        self.name, self.address, self._path, self._login = name, address, root, login
        self.start()

    def start(self) -> None:
        self.root = ShardRoot(self._path)
        slots = SlotMover(self.address, lambda: self.name, self._login)
        self.mover = Movers({"tree": TreeMover(self.root, self.address), "none": NoMover(), "redis": slots})
        self.verbs = self.mover.verbs | {"slots.survey": slots.survey}
        self.runs = True

    def stop(self) -> None:
        self.runs = False
        self.mover.close()

    def has(self, shard: Shard) -> bool:
        """Whether the whole shard lies here, read from the disk."""
        tree = self.root.shard(shard.name)
        return tree.is_dir() and summarise(tree).digest == shard.digest


class Rig:
    """Hosts, and the two things that happen: the controller sweeps, agents obey. login: at the hosts' Redis."""

    def __init__(
        self, cluster: Any, folder: Path, zones: dict[str, str], login: Login = NO_LOGIN, **capacity: float
    ) -> None:
        self.hosts: dict[str, Host] = {}
        for number, (name, zone) in enumerate(zones.items(), start=1):
            address = f"127.0.77.{number}"
            cluster.add(name, labels={"zone": zone}, address=address, **capacity)
            self.hosts[name] = Host(name, address, folder / name, login)
        source = next(iter(self.hosts.values()))
        tree = source.root.path / "import" / "tree"
        tree.mkdir()
        (tree / "data").write_bytes(os.urandom(TREE_BYTES))
        (tree / "deep").mkdir()
        (tree / "deep" / "more").write_bytes(b"more")

    def close(self) -> None:
        for host in self.hosts.values():
            host.stop()

    def sweep(self) -> int:
        """What the controller does, fence aside: one transaction."""
        picture.load()
        with transaction.atomic():
            expire_old_commands()
            return sweep_shards(EPOCH)

    async def obey(self, died: Callable[[Command], bool] = lambda _: False) -> None:
        """Every agent carries out what it was told. died: whether it does so and ends before it can say so."""
        commands = await in_thread(_open_commands)
        await asyncio.gather(*(self._carry_out(command, died) for command in commands))

    async def _carry_out(self, command: Command, died: Callable[[Command], bool]) -> None:
        host = self.hosts[command.host.name]
        mover = host.mover
        try:
            result = await host.verbs[command.verb](command.args, time.monotonic() + 20)
            error = ""
        except Refusal as refusal:
            result, error = {}, str(refusal)
        except asyncio.CancelledError:
            if host.runs and host.mover is mover:
                raise
            # Its agent ended while it carried this out beside another command.
            await in_thread(_never_told, command)
            return
        if died(command):
            await in_thread(self._restart, host, command)
        else:
            await in_thread(_answer, command, result, error)

    def _restart(self, host: Host, command: Command) -> None:
        host.stop()
        host.start()
        _never_told(command)

    def copies(self, shard: Shard) -> list[str]:
        """The hosts on which the whole shard lies."""
        return [name for name, host in self.hosts.items() if host.has(shard)]

    def check(self) -> None:
        """Nothing is ever lost: each shard that was whole lies on as many hosts as it shall, and those that count
        are among them, in domains of their own."""
        for shard in Shard.objects.exclude(digest=""):
            counted = list(shard.replicas.filter(state=Replica.State.READY).select_related("placement__host"))
            on_disk = self.copies(shard)
            hosts = [replica.placement.host for replica in counted]
            assert len(on_disk) >= min(shard.replica_count, len(counted))
            assert {host.name for host in hosts} <= set(on_disk)
            zones = [host.labels["zone"] for host in hosts]
            assert shard.spread_level != "zone" or len(set(zones)) == len(zones), "two copies in one zone"
            if Move.objects.filter(shard=shard).exists():
                assert len(counted) >= shard.replica_count, "fewer copies count than shall"

    async def run(self, done: Callable[[], bool], turns: int = 60, *, check: bool = True) -> None:
        """Sweep and obey until done, at most so many turns. check: whether the shards are trees."""
        for _ in range(turns):
            changed = await in_thread(self.sweep)
            await self.obey()
            if check:
                await in_thread(self.check)
            await in_thread(due)
            if not changed and await in_thread(done):
                return
        raise AssertionError("it came to no end")


def _open_commands() -> list[Command]:
    return list(Command.objects.filter(state="pending").select_related("host"))


def _never_told(command: Command) -> None:
    """The agent that comes back knows of nothing: it is told again, or the command runs out."""
    if command.verb == "shard.serve":
        Command.objects.filter(pk=command.pk).update(state="expired", error="the agent ended")


def _answer(command: Command, result: dict[str, Any], error: str) -> None:
    AnswerCommand(str(command.pk), not error, result, error).run(agent(command.host.name))


def due() -> None:
    """What waits before it is tried again has waited."""
    Replica.objects.update(retry_at=None)
    for left in Leftover.objects.exclude(drop__state="pending"):
        Command.objects.filter(pk=left.drop_id).update(created_at=timezone.now() - AGAIN)


@contextmanager
def killed_at(statement: int) -> Iterator[None]:
    """The process ends at its so-manyth statement that writes: whatever was not committed is not there."""
    left = [statement]

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith(("INSERT", "UPDATE", "DELETE")):
            left[0] -= 1
            if left[0] < 0:
                raise Killed
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count):
        yield
