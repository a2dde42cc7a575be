"""Real Redis or Valkey Clusters on loopback addresses of their own, as hosts have them."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agents.redis_cluster import Login
from bench.shards import redis_nodes
from bench.shards.redis_nodes import PASSWORD, START_S, join, server_argv

SERVER = shutil.which("redis-server") or "redis-server"


@dataclass
class Nodes(redis_nodes.Nodes):
    """A cluster of this machine, with the file that its hosts' agents have the password from."""

    password_file: Path

    @property
    def login(self) -> Login:
        """As an agent has it."""
        return Login(self.seeds[0], "", str(self.password_file))

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
            argv = [*server_argv(server, address, port, place), *options]
            processes.append(subprocess.Popen(argv, stdout=subprocess.DEVNULL))
        join(nodes, owning)
        yield nodes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(START_S)
        memory.cleanup()


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
