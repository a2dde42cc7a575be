"""Build hosts on this machine, and take them down again whatever happened in between.

Theory of operation. Building and taking down block the event loop for a fraction of a second, on purpose:
nothing can be cancelled half-way. Before anything is made, a record of it is written (register.py);
taking down reads nothing else, may be repeated, and finds every process in the hosts' cgroups and namespaces.
A run that is killed leaves its record, and the next rack on the machine sweeps what it left.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
import re
import secrets
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from . import network, register
from .cgroups import Cgroup, CgroupsMissing, enable, find_hierarchies
from .hosts import Host, NamespaceHost, RackRefused
from .register import NAMESPACES, PROCESSES, Record
from .specs import HostSpec, check_specs

__all__ = ["Host", "HostSpec", "Rack", "RackRefused"]

#: Interface names have 15 characters: prefix, four random ones, "v" and the host's number.
PREFIX = re.compile(r"[a-z][a-z0-9]{0,5}")
FIRST_HOST = 10


class Rack:
    """Unequal hosts on one machine, as an async context manager.

    kind: "auto" takes namespaces and cgroups where this machine allows them, and else plain processes;
    "namespaces" raises RackRefused instead of falling back; "processes" does not try.
    Once entered: .kind is what it became, .reason why not namespaces ("" if they are),
    .gateway the control side's address, which every host reaches; hosts by name or in order.
    Raises ValueError for hosts this machine cannot carry.
    """

    def __init__(self, specs: Sequence[HostSpec], prefix: str = "sy", kind: str = "auto") -> None:
        check_specs(specs)
        if not PREFIX.fullmatch(prefix):
            raise ValueError(
                f"prefix: {prefix!r} is not 1 to 6 lower-case letters and digits, a letter first"
            )
        if kind not in ("auto", NAMESPACES, PROCESSES):
            raise ValueError(f"kind: {kind!r} is not auto, {NAMESPACES} or {PROCESSES}")
        self.specs = tuple(specs)
        self.kind = kind
        self.reason = "asked for" if kind == PROCESSES else ""
        self.name = ""
        self.gateway = ""
        self.hosts: dict[str, Host] = {}
        self._prefix = prefix
        self._record: Record | None = None

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    def __iter__(self) -> Iterator[Host]:
        return iter(self.hosts.values())

    def __len__(self) -> int:
        return len(self.hosts)

    async def __aenter__(self) -> Self:
        try:
            with register.locked():
                register.sweep()
                self._build()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Kill everything on the hosts and remove them. Repeatable.

        Raises processes.StillRunning or network.NetworkRefused if something would not go;
        it stays on record for the next sweep.
        """
        if self._record is not None:
            with register.locked():
                register.dismantle(self._record)
            self._record = None
        # Nothing is left to undo here; a cancellation from now on loses only bookkeeping.
        hosts = list(self)
        self.hosts = {}
        await asyncio.gather(*(host.settle() for host in hosts))

    def _build(self) -> None:
        if self.kind != PROCESSES:
            try:
                self._build_namespaces()
                return
            except (CgroupsMissing, network.NetworkRefused, OSError) as error:
                if self.kind == NAMESPACES:
                    raise RackRefused(f"no namespaces or cgroups here: {error}") from error
                self.reason = str(error)
                self._take_back()
        self._build_processes()

    def _take_back(self) -> None:
        """Remove what a refused attempt had made so far."""
        self.hosts = {}
        if self._record is not None:
            register.dismantle(self._record)
            self._record = None

    def _build_namespaces(self) -> None:
        hierarchies = find_hierarchies()
        used = network.networks_in_use()
        free = [n for n in range(256) if not any(network_of(n).overlaps(other) for other in used)]
        record = self._claim(NAMESPACES, free)
        record.enabled = enable(hierarchies, record.rack)
        record.save()
        self.gateway = f"10.213.{record.number}.1"
        network.add_bridge(record.rack, self.gateway)
        for index, spec in enumerate(self.specs):
            group = Cgroup(hierarchies, record.cgroup(spec.name))
            group.create(spec)
            address = f"10.213.{record.number}.{FIRST_HOST + index}"
            network.add_host(record.rack, index, record.namespace(spec.name), address, spec.net_bytes_s)
            self.hosts[spec.name] = NamespaceHost(spec, address, record, index, group)
        self.kind = NAMESPACES

    def _build_processes(self) -> None:
        record = self._claim(PROCESSES, list(range(1, 255)))
        self.gateway = f"127.0.{record.number}.1"
        for index, spec in enumerate(self.specs):
            self.hosts[spec.name] = Host(spec, f"127.0.{record.number}.{FIRST_HOST + index}", record)
        self.kind = PROCESSES

    def _claim(self, kind: str, numbers: list[int]) -> Record:
        """Choose a name and a network nobody has, and write the record that makes them ours."""
        others = register.read_records()
        taken = {other.number for other in others if other.kind == kind}
        free = [number for number in numbers if number not in taken]
        if not free:
            raise RackRefused("no network is free for another rack")
        names = {other.rack for other in others}
        # Eight tries: each is taken with one chance in 65,536 for every rack that exists.
        drawn = (f"{self._prefix}{secrets.token_hex(2)}" for _ in range(8))
        name = next((candidate for candidate in drawn if candidate not in names), None)
        if name is None:
            raise RackRefused("no name is free for another rack")
        self.name = name
        hosts = [spec.name for spec in self.specs]
        self._record = Record(name, kind, random.choice(free), hosts, register.myself())
        self._record.save()
        return self._record


def network_of(number: int) -> ipaddress.IPv4Network:
    """The /24 of a rack in namespaces."""
    return ipaddress.IPv4Network((f"10.213.{number}.0", 24))
