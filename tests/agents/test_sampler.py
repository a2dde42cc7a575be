"""The sampler on the real machine, its clock in the test's hands."""

from __future__ import annotations

import math
import socket
from pathlib import Path

import psutil
import pytest

from agents.sampler import CAPACITY_EVERY_S, MIN_SPAN_S, Sampler


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_first_sample_has_no_rates(tmp_path: Path) -> None:
    """Primed at its making, the sampler gives amounts at once and rates only after some time."""
    clock = Clock()
    sampler = Sampler(clock, tmp_path)
    first = sampler.sample()
    clock.now += MIN_SPAN_S
    second = sampler.sample()

    assert set(first) == {"memory", "disk"}
    assert {"cpu", "net_in", "net_out", "memory", "disk"} <= set(second)
    assert all(math.isfinite(amount) and amount >= 0 for amount in second.values())


def test_capacity_is_the_machine_and_what_was_declared(tmp_path: Path) -> None:
    """Found amounts in base units, declared ones winning, extras added; disk io is never guessed."""
    capacity = Sampler(Clock(), tmp_path, declared={"gpu": 2.0, "memory": 5.0}).capacity()

    assert capacity["cpu"] == psutil.cpu_count()
    assert capacity["gpu"] == 2.0
    assert capacity["memory"] == 5.0
    assert 0 < capacity["disk"] <= psutil.disk_usage(str(tmp_path)).total
    assert "disk_io" not in capacity


def test_memory_and_disk_are_what_the_kernel_says(tmp_path: Path) -> None:
    """Used memory leaves page cache out; used disk is the file system's."""
    used = Sampler(Clock(), tmp_path).sample()
    memory = psutil.virtual_memory()

    assert used["memory"] == pytest.approx(memory.total - memory.available, rel=0.2)
    assert used["disk"] == pytest.approx(psutil.disk_usage(str(tmp_path)).used, rel=0.05)


def test_a_declared_disk_is_used_by_the_shards_alone(tmp_path: Path) -> None:
    """Where the operator gives the host a share of a disk, only the tree of the shards counts against it."""
    clock = Clock()
    sampler = Sampler(clock, tmp_path, declared={"disk": 1e9})
    before = sampler.sample()["disk"]
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "data").write_bytes(bytes(range(256)) * 4096)
    clock.now += CAPACITY_EVERY_S
    after = sampler.sample()["disk"]

    assert before < 100_000
    assert after == pytest.approx(before + 2**20, rel=0.1)


def test_loopback_traffic_is_not_the_networks(tmp_path: Path) -> None:
    """Ten megabytes over loopback do not show as network use."""
    clock = Clock()
    sampler = Sampler(clock, tmp_path)
    with (
        socket.create_server(("127.0.0.1", 0)) as door,
        socket.create_connection(door.getsockname()) as sender,
    ):
        receiver, _ = door.accept()
        with receiver:
            for _ in range(160):
                sender.sendall(bytes(65536))
                left = 65536
                while left:
                    left -= len(receiver.recv(left))
    clock.now += 1.0
    used = sampler.sample()

    assert used["net_in"] < 5_000_000


def test_a_vanished_directory_leaves_disk_out(tmp_path: Path) -> None:
    """When the shards' file system is gone the other figures go on."""
    storage = tmp_path / "gone"
    storage.mkdir()
    sampler = Sampler(Clock(), storage)
    storage.rmdir()

    assert "disk" not in sampler.sample()
    assert "memory" in sampler.sample()
