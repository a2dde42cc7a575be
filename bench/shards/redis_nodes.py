"""Masters of a Redis or Valkey Cluster, one at an address: how they are started and joined, and what they say."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import redis
from redis.cluster import RedisCluster

SLOTS = 16_384
START_S = 30.0
PASSWORD = "not a secret"  # noqa: S105


class NotSettled(RuntimeError):
    """A cluster that did not come together, or whose nodes do not agree."""


@dataclass
class Nodes:
    """The masters of one cluster by address, all on one port; the first ones own all slots."""

    addresses: list[str]
    port: int

    @property
    def seeds(self) -> list[str]:
        return [f"{address}:{self.port}" for address in self.addresses]

    def node(self, address: str) -> Any:
        """A client of one node."""
        return redis.Redis(address, self.port, password=PASSWORD)

    def client(self) -> Any:
        """An application's client, which follows the slots."""
        return RedisCluster(host=self.addresses[0], port=self.port, password=PASSWORD)

    def owners(self) -> dict[str, set[int]]:
        """The slots by address, as every node says. Raises NotSettled where they differ."""
        seen = []
        for address in self.addresses:
            with self.node(address) as node:
                by_node: dict[str, set[int]] = {each: set() for each in self.addresses}
                for first, last, owner, *_ in node.execute_command("CLUSTER", "SLOTS"):
                    by_node[owner[0].decode()].update(range(first, last + 1))
                seen.append(by_node)
        if any(each != seen[0] for each in seen):
            raise NotSettled("the nodes do not agree who owns which slot")
        return seen[0]

    def open_slots(self) -> set[int]:
        """Those that any node says are between two nodes."""
        found: set[int] = set()
        for address in self.addresses:
            with self.node(address) as node:
                found |= read_open(node.execute_command("CLUSTER", "NODES").decode())
        return found

    def cli(self, *words: str) -> list[str]:
        """The argv of a command of redis-cli on the whole cluster, by its first node."""
        verb, *options = words
        return ["redis-cli", "-a", PASSWORD, "--no-auth-warning", "--cluster", verb, self.seeds[0], *options]

    def check(self) -> str:
        """What redis-cli says of the cluster, in which it finds no fault. Raises NotSettled with that of one."""
        said = subprocess.run(self.cli("check"), check=False, capture_output=True, text=True, timeout=START_S)
        if said.returncode:
            raise NotSettled(said.stdout)
        return said.stdout


def read_open(nodes: str) -> set[int]:
    """The slots that CLUSTER NODES has as [SLOT-<-ID] or [SLOT->-ID]."""
    words = (word for line in nodes.splitlines() for word in line.split()[8:])
    return {int(word[1:].partition("-")[0]) for word in words if word.startswith("[")}


def server_argv(server: str, address: str, port: int, folder: Path) -> list[str]:
    """A node that keeps nothing but its view of the cluster, which it writes with every slot that changes."""
    return [
        server, "--bind", address, "--bind-source-addr", address, "--port", str(port), "--cluster-port", str(port + 1),
        "--cluster-enabled", "yes", "--cluster-node-timeout", "5000",
        # Else a master that gave its last slot away becomes a replica of the one that took it.
        "--cluster-allow-replica-migration", "no", "--requirepass", PASSWORD, "--masterauth", PASSWORD,
        "--save", "", "--appendonly", "no", "--dir", str(folder),
    ]  # fmt: skip


def join(nodes: Nodes, owning: int) -> None:
    """Make one cluster of started nodes, of which the first `owning` share the slots. Raises NotSettled."""
    share = -(-SLOTS // owning)
    for number, address in enumerate(nodes.addresses):
        with nodes.node(address) as node:
            _until(partial(_answers, node), "a node does not start")
            node.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if number < owning:
                last = min((number + 1) * share, SLOTS) - 1
                node.execute_command("CLUSTER", "ADDSLOTSRANGE", number * share, last)
            if number:
                node.execute_command("CLUSTER", "MEET", nodes.addresses[0], nodes.port, nodes.port + 1)
    for address in nodes.addresses:
        with nodes.node(address) as node:
            _until(partial(_is_whole, node, len(nodes.addresses)), "the cluster does not come together")


def _answers(node: Any) -> bool:
    try:
        return bool(node.ping())
    except redis.ConnectionError:
        return False


def _is_whole(node: Any, count: int) -> bool:
    """Whether it knows all others, and an owner of each slot."""
    is_ok = b"cluster_state:ok" in node.execute_command("CLUSTER", "INFO")
    return is_ok and len(node.execute_command("CLUSTER", "SHARDS")) == count


def _until(true: Callable[[], bool], what: str) -> None:
    """Redis tells nobody when it is there: it is asked."""
    end = time.monotonic() + START_S
    while not true():
        if time.monotonic() >= end:
            raise NotSettled(what)
        time.sleep(0.02)
