"""Hosts as pages show them: the ledger's promises beside what the live picture measures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from django.utils.html import escape
from django.utils.safestring import SafeString

from console.fleet.models import Host
from console.live.picture import SILENT_AFTER_S, picture
from console.pages.strip import Strip, strip_of
from console.placements.models import Ledger


@dataclass(frozen=True)
class Line:
    """One resource of one host, in its unit. used: None while the host is silent."""

    resource: str
    capacity: float
    reserved: float
    used: float | None

    @property
    def free(self) -> float:
        return max(0.0, self.capacity - self.reserved)

    @property
    def used_share(self) -> float | None:
        return None if self.used is None or self.capacity <= 0 else self.used / self.capacity

    @property
    def reserved_share(self) -> float | None:
        return None if self.capacity <= 0 else self.reserved / self.capacity


#: A line of the ledger: resource, capacity, reserved.
Promised = tuple[str, float, float]


class HostSeen:
    """One host with its ledger and its freshness. Old figures are unknown, never healthy.

    promised: its ledger; left out, it is read of the host (prefetch it).
    """

    def __init__(self, host: Host, promised: Iterable[Promised] | None = None) -> None:
        self.host = host
        self.name: str = host.name
        self.age_s = picture.age_s(host.name)
        self._promised = promised

    @classmethod
    def several(cls, hosts: Sequence[Host]) -> list[HostSeen]:
        """Hosts with their ledgers read at once, as plain values: as objects they took a sixth of a page's time."""
        found = defaultdict[int, list[Promised]](list)
        lines = Ledger.objects.filter(host__in=hosts).values_list("host", "resource", "capacity", "reserved")
        for host, *line in lines:
            found[host].append(tuple(line))
        return [cls(host, found[host.pk]) for host in hosts]

    @cached_property
    def safe_name(self) -> SafeString:
        """Escaped once, for a row says it several times."""
        return escape(self.name)

    @property
    def silent(self) -> bool:
        return self.age_s is None or self.age_s > SILENT_AFTER_S

    @cached_property
    def words(self) -> list[str]:
        """What is to be said of its state: what an operator wants of it, then whether it is heard of."""
        said: list[str] = [self.host.state]
        if self.host.lost_since is not None:
            said.append("lost")
        elif self.silent:
            said.append("silent")
        return said if len(said) == 1 or said[0] != Host.State.ACTIVE else said[1:]

    @cached_property
    def lines(self) -> list[Line]:
        used = {} if self.silent else picture.used(self.name)
        order = {name: place for place, name in enumerate(picture.cluster.dimensions.names)}
        promised = self._promised
        if promised is None:
            promised = [(line.resource, line.capacity, line.reserved) for line in self.host.ledger.all()]
        ledger = sorted(promised, key=lambda line: (order.get(line[0], len(order)), line[0]))
        return [Line(name, capacity, reserved, used.get(name)) for name, capacity, reserved in ledger]

    @cached_property
    def shares(self) -> dict[str, float | None]:
        """Used and reserved of each bar, by the column that shows it."""
        bars = self.strip.bars
        return {bar.name: bar.used for bar in bars} | {f"{bar.name}_reserved": bar.reserved for bar in bars}

    @cached_property
    def strip(self) -> Strip:
        return strip_of(
            {line.resource: line.used_share for line in self.lines},
            {line.resource: line.reserved_share for line in self.lines},
        )
