"""Real Redis or Valkey Clusters on loopback addresses of their own, as hosts have them."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from redis.cluster import ClusterNode, RedisCluster

from agents.redis_cluster import Login

SLOTS = 16_384
START_S = 30.0
PASSWORD = "not a secret"
SERVER = shutil.which("redis-server") or "redis-server"


@dataclass
class Nodes:
    """The masters of one cluster by address, all on one port; the first ones own all slots."""

    addresses: list[str]
    port: int
    password_file: Path

    @property
    def seeds(self) -> list[str]:
        return [f"{address}:{self.port}" for address in self.addresses]

    @property
    def login(self) -> Login:
        """As an agent has it."""
        return Login(self.seeds[0], "", str(self.password_file))

    def node(self, address: str) -> Any:
        """A client of one node."""
        return redis.Redis(address, self.port, password=PASSWORD)

    def client(self) -> Any:
        """An application's client, which follows the slots."""
        return RedisCluster(startup_nodes=[ClusterNode(self.addresses[0], self.port)], password=PASSWORD)

    def owners(self) -> dict[str, set[int]]:
        """The slots by address, as every node says; whoever differs is an error."""
        seen = []
        for address in self.addresses:
            with self.node(address) as node:
                by_node: dict[str, set[int]] = {each: set() for each in self.addresses}
                for first, last, owner, *_ in node.execute_command("CLUSTER", "SLOTS"):
                    by_node[owner[0].decode()].update(range(first, last + 1))
                seen.append(by_node)
        assert all(each == seen[0] for each in seen), "the nodes do not agree"
        return seen[0]

    def check(self) -> str:
        """What redis-cli says of the cluster, in which it finds no fault."""
        said = subprocess.run(
            ["redis-cli", "-a", PASSWORD, "--no-auth-warning", "--cluster", "check", self.seeds[0]],
            check=False, capture_output=True, text=True, timeout=START_S,
        )  # fmt: skip
        assert said.returncode == 0, said.stdout
        return said.stdout

    def clear(self) -> None:
        """No keys, and no bound of memory; the slots stay where they are."""
        for address in self.addresses:
            with self.node(address) as node:
                node.config_set("maxmemory", 0)
                node.flushall()


@contextmanager
def running(
    folder: Path, addresses: list[str], owning: int, server: str = SERVER, *options: str
) -> Iterator[Nodes]:
    """A cluster of so many masters, of which the first `owning` share the slots."""
    port = _free_port(addresses)
    (folder / "password").write_text(PASSWORD + "\n")
    nodes = Nodes(addresses, port, folder / "password")
    processes = []
    # In memory: a node writes its view of the cluster to its disk with every slot that changes.
    memory = tempfile.TemporaryDirectory(prefix="steelyard-redis-", dir="/dev/shm")
    try:
        for address in addresses:
            place = Path(memory.name) / address
            place.mkdir()
            processes.append(
                subprocess.Popen(
                    [
                        server, "--bind", address, "--bind-source-addr", address, "--port", str(port),
                        "--cluster-port", str(port + 1),
                        "--cluster-enabled", "yes", "--cluster-node-timeout", "5000",
                        # Else a master that gave its last slot away becomes a replica of the one that took it.
                        "--cluster-allow-replica-migration", "no", "--requirepass", PASSWORD,
                        "--masterauth", PASSWORD, "--save", "", "--appendonly", "no", "--dir", str(place), *options,
                    ],
                    stdout=subprocess.DEVNULL,
                )
            )  # fmt: skip
        _join(nodes, owning)
        yield nodes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(START_S)
        memory.cleanup()


def _join(nodes: Nodes, owning: int) -> None:
    share = -(-SLOTS // owning)
    for number, address in enumerate(nodes.addresses):
        with nodes.node(address) as node:
            _until(lambda node=node: _answers(node), "a node does not start")
            node.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if number < owning:
                last = min((number + 1) * share, SLOTS) - 1
                node.execute_command("CLUSTER", "ADDSLOTSRANGE", number * share, last)
            if number:
                node.execute_command("CLUSTER", "MEET", nodes.addresses[0], nodes.port, nodes.port + 1)
    for address in nodes.addresses:
        with nodes.node(address) as node:
            _until(
                lambda node=node: (
                    b"cluster_state:ok" in node.execute_command("CLUSTER", "INFO")
                    and len(node.execute_command("CLUSTER", "SHARDS")) == len(nodes.addresses)
                ),
                "the cluster does not come together",
            )


def _answers(node: Any) -> bool:
    try:
        return bool(node.ping())
    except redis.ConnectionError:
        return False


def _until(true: Any, what: str) -> None:
    """Redis tells nobody when it is there: it is asked."""
    end = time.monotonic() + START_S
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def _free_port(addresses: list[str]) -> int:
    """A port that is free on all of them, and the next one too."""
    for port in range(21_000, 31_000, 7):
        try:
            for address in addresses:
                for each in (port, port + 1):
                    with socket.socket() as probe:
                        probe.bind((address, each))
        except OSError:
            continue
        return port
    raise AssertionError("no port is free")
