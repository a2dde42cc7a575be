"""What the host has and what it uses, in the units of the wire: cores, bytes, bytes a second.

Rates are differences between two samples, so the sampler primes itself when it is made; until two samples
lie MIN_SPAN_S apart the rates are left out, and a sample taken sooner repeats the last rates.

One number differs from what tools like `df` show: capacity of disk is what a process that is not root can
fill, because that is what a load placed here can have.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from agents.limits import Cgroup
from agents.parts import PartsSampler
from agents.wire import Parts, Quota

#: Shorter spans make rates of counters that the kernel moves every few milliseconds mostly noise.
MIN_SPAN_S = 0.2
#: Limits and network cards change seldom, and asking every card costs more than a whole sample.
CAPACITY_EVERY_S = 10.0
#: Measuring a tree of files may take this share of the time, no more.
_TREE_SHARE = 1 / 500
_NET = Path("/sys/class/net")


class Sampler:
    """Samples one host.

    storage: a directory on the file system that holds the shards. declared: amounts that the operator states;
    they win over what was found. group: a control group, or None for the whole machine; group_is_host says
    that the host is this group, so that its usage counts even where it has no limit.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        storage: Path,
        *,
        declared: Mapping[str, float] | None = None,
        group: Cgroup | None = None,
        group_is_host: bool = False,
    ) -> None:
        self._clock = clock
        self._storage = storage
        self._declared = dict(declared or {})
        self._group = group
        self._group_is_host = group_is_host
        self._rates: dict[str, float] = {}
        self._tree_bytes = 0.0
        self._tree_due = clock()
        self._refresh()
        self._counters = self._read_counters()
        self._counted_at = clock()
        # The disks and cards of the machine are not this host's where it is one group of several.
        self._parts = None if group_is_host else PartsSampler(clock, lambda: self._cards)

    def capacity(self) -> dict[str, float]:
        """Resource name to amount; looked at afresh every CAPACITY_EVERY_S."""
        if self._clock() - self._refreshed_at >= CAPACITY_EVERY_S:
            self._refresh()
        return dict(self._capacity)

    def sample(self) -> dict[str, float]:
        """What is used now, resource name to amount. A rate that is not known yet is absent."""
        now = self._clock()
        span_s = now - self._counted_at
        if span_s >= MIN_SPAN_S:
            counters = self._read_counters()
            # A counter that went down was reset (a card came or went): no rate until the next sample.
            self._rates = {
                name: (counters[name] - before) / span_s
                for name, before in self._counters.items()
                if counters.get(name, -1.0) >= before
            }
            self._counters, self._counted_at = counters, now
        used = dict(self._rates)
        used["memory"] = self._memory_used()
        disk_used = self._disk_used(now)
        if disk_used is not None:
            used["disk"] = disk_used
        return used

    def parts(self) -> Parts | None:
        """Each disk and card by itself; None where it was said just now, or they are not this host's."""
        return self._parts.sample() if self._parts else None

    def quota(self) -> Quota | None:
        """The kernel's limit of cpu, as it was when the capacity was looked at; None where there is none."""
        return self._quota

    def _refresh(self) -> None:
        self._refreshed_at = self._clock()
        group = self._group
        self._quota = group.cpu_quota() if group else None
        cpu_limit = group.cpu_limit_cores() if group else None
        memory_limit = group.memory_limit_bytes() if group else None
        self._cpu_of_group = group is not None and (self._group_is_host or cpu_limit is not None)
        self._memory_of_group = group is not None and (self._group_is_host or memory_limit is not None)
        cores, memory_bytes = float(psutil.cpu_count() or 1), float(psutil.virtual_memory().total)
        found = {
            "cpu": min(cores, cpu_limit or cores),
            "memory": min(memory_bytes, memory_limit or memory_bytes),
        }
        disk = self._file_system()
        if disk is not None:
            found["disk"] = disk[0] + disk[1]
        speed = self._look_at_cards()
        if speed is not None:
            found["net_in"] = found["net_out"] = speed
        self._capacity = found | self._declared

    def _look_at_cards(self) -> float | None:
        """Choose the network cards to count, and answer the slowest known speed in bytes/s.

        Where there are real cards only those count: the same bytes pass bridges and virtual ends again.
        """
        cards = {name: card for name, card in psutil.net_if_stats().items() if "loopback" not in card.flags}
        real = {name for name in cards if (_NET / name / "device").exists()}
        self._cards = real or set(cards)
        megabits = [cards[name].speed for name in self._cards if cards[name].isup and cards[name].speed > 0]
        return min(megabits) * 1e6 / 8 if megabits else None

    def _read_counters(self) -> dict[str, float]:
        counters = {"cpu": self._cpu_busy_s()}
        disk_io = self._group.disk_io_bytes() if self._group and self._group_is_host else None
        if disk_io is None:
            disks = psutil.disk_io_counters(nowrap=False)
            disk_io = float(disks.read_bytes + disks.write_bytes) if disks else None
        if disk_io is not None:
            counters["disk_io"] = disk_io
        flows = psutil.net_io_counters(pernic=True, nowrap=False)
        counters["net_in"] = float(sum(flows[name].bytes_recv for name in self._cards if name in flows))
        counters["net_out"] = float(sum(flows[name].bytes_sent for name in self._cards if name in flows))
        return counters

    def _cpu_busy_s(self) -> float:
        if self._group is not None and self._cpu_of_group:
            used = self._group.cpu_used_s()
            if used is not None:
                return used
        times = psutil.cpu_times()
        # Stolen time counts as used: those cycles are not there for a load.
        # Guest time is already in user and nice.
        return float(times.user + times.nice + times.system + times.irq + times.softirq + times.steal)

    def _memory_used(self) -> float:
        if self._group is not None and self._memory_of_group:
            used = self._group.memory_used_bytes()
            if used is not None:
                return used
        memory = psutil.virtual_memory()
        return float(memory.total - memory.available)

    def _file_system(self) -> tuple[float, float] | None:
        """Bytes used and free where the shards lie; None while it cannot be asked (an unmounted disk)."""
        try:
            disk = psutil.disk_usage(str(self._storage))
        except OSError:
            return None
        return float(disk.used), float(disk.free)

    def _disk_used(self, now: float) -> float | None:
        """Bytes used of the file system; of the shards alone where the host's share was declared."""
        if "disk" not in self._declared:
            disk = self._file_system()
            return None if disk is None else disk[0]
        if now >= self._tree_due:
            self._tree_bytes = float(_tree_bytes(str(self._storage)))
            self._tree_due = now + max(CAPACITY_EVERY_S, (self._clock() - now) / _TREE_SHARE)
        return self._tree_bytes


def _tree_bytes(root: str) -> int:
    """The blocks that a tree of files holds, in bytes; entries that vanish meanwhile do not count."""
    total = 0
    waiting = [root]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
        except FileNotFoundError:
            continue
    return total
