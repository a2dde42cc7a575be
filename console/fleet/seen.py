"""Hosts as pages show them: the ledger's promises beside what the live picture measures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from console.fleet.models import Host
from console.live.picture import SILENT_AFTER_S, picture
from console.pages.strip import Strip, strip_of


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


class HostSeen:
    """One host with its ledger (prefetch it) and its freshness. Old figures are unknown, never healthy."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.name: str = host.name
        self.age_s = picture.age_s(host.name)

    @property
    def silent(self) -> bool:
        return self.age_s is None or self.age_s > SILENT_AFTER_S

    @property
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
        ledger = sorted(
            self.host.ledger.all(), key=lambda line: (order.get(line.resource, len(order)), line.resource)
        )
        return [Line(line.resource, line.capacity, line.reserved, used.get(line.resource)) for line in ledger]

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
