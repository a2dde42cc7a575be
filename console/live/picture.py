"""The live picture that one process holds: the ledger's promises beside the agents' measurements.

Theory of operation. The database is the truth about hosts and promises; this is a cache of it
in columns, refreshed on a bell and by a sweep, joined with measurements that exist nowhere else
and that one round of reports rebuilds. All methods may be called from any thread: one lock,
held for microseconds.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from balancer_core.cluster import CORDONED, DRAINING, LOST, Cluster
from balancer_core.decision import Decision
from balancer_core.placement import Load, decide, decide_many
from balancer_core.resources import STANDARD, Dimensions, Resource
from console.fleet.models import Host
from console.placements.models import Ledger

#: Older reports than this are shown as unknown, never as healthy: three keepalives.
SILENT_AFTER_S = 15.0
HISTORY_POINTS = 300

_FLAG_OF_STATE = {
    Host.State.ACTIVE: 0,
    Host.State.CORDONED: CORDONED,
    Host.State.DRAINING: DRAINING,
}


@dataclass
class Measured:
    """What is known of one host beside its columns."""

    used: dict[str, float] = field(default_factory=dict)
    # (monotonic seconds, used) of the last minutes, newest last.
    history: deque[tuple[float, dict[str, float]]] = field(default_factory=lambda: deque(maxlen=HISTORY_POINTS))


class Picture:
    """Hosts as columns, kept true to the database by load() and fresh by report()."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.cluster = Cluster(Dimensions(STANDARD))
        self.directory_version = 0
        self._directory: dict[str, tuple[object, ...]] = {}
        self._measured: dict[str, Measured] = {}

    # -- from the database ---------------------------------------------------------------------

    def load(self) -> None:
        """Read hosts and ledger. Hosts that are gone leave; measurements of the others stay."""
        hosts = list(Host.objects.all())
        ledger: dict[int, dict[str, tuple[float, float]]] = {}
        for host_id, resource, capacity, reserved in Ledger.objects.values_list(
            "host_id", "resource", "capacity", "reserved"
        ):
            ledger.setdefault(host_id, {})[resource] = (capacity, reserved)
        with self._lock:
            extras = {r for lines in ledger.values() for r in lines} - set(self.cluster.dimensions.names)
            if extras:
                self._widen(sorted(extras))
            gone = set(self._directory) - {host.name for host in hosts}
            for name in gone:
                self.cluster.remove_host(name)
                del self._directory[name]
                self._measured.pop(name, None)
            changed = bool(gone)
            for host in hosts:
                changed |= self._load_host(host, ledger.get(host.pk, {}))
            if changed:
                self.directory_version += 1

    def _load_host(self, host: Host, lines: dict[str, tuple[float, float]]) -> bool:
        """Bring one row up to date. True where what a browser's directory shows has changed."""
        capacity = {resource: line[0] for resource, line in lines.items()}
        reserved = {resource: line[1] for resource, line in lines.items()}
        entry = (host.address, host.labels, host.state, host.lost_since is not None, capacity)
        known = self._directory.get(host.name)
        if known is None:
            self.cluster.add_host(host.name, capacity, host.labels)
        elif known[4] != capacity:
            self.cluster.set_capacity(host.name, capacity)
        if known is not None and known[1] != host.labels:
            self.cluster.set_labels(host.name, host.labels)
        flags = _FLAG_OF_STATE[Host.State(host.state)] | (LOST if host.lost_since else 0)
        self.cluster.set_flags(host.name, flags)
        self.cluster.set_reserved(host.name, self.cluster.dimensions.vector(reserved))
        self._directory[host.name] = entry
        return known is None or known[:2] != entry[:2] or known[4] != capacity

    def _widen(self, extras: list[str]) -> None:
        """Start the columns again with further named resources; the next reports fill them."""
        self.cluster = Cluster(
            Dimensions((*self.cluster.dimensions.resources, *(Resource(name, "", "capacity") for name in extras)))
        )
        self._directory.clear()
        self.directory_version += 1

    # -- from the agents -----------------------------------------------------------------------

    def knows(self, host: str) -> bool:
        with self._lock:
            return host in self._directory

    def capacity(self, host: str) -> dict[str, float]:
        """Resource name to amount, as the ledger has it. Empty for a host that is not known."""
        with self._lock:
            entry = self._directory.get(host)
            return dict(entry[4]) if entry else {}  # type: ignore[call-overload]

    def report(self, host: str, used: dict[str, float], now: float) -> bool:
        """Take one report at this process's monotonic time. False where the host is not known (yet).

        Raises InvalidAmount naming the field of a figure that can't be right; the host keeps its last good state.
        """
        with self._lock:
            if host not in self._directory:
                return False
            self.cluster.report(host, used, now)
            measured = self._measured.setdefault(host, Measured())
            measured.used = used
            measured.history.append((now, used))
            return True

    def reserve(self, host: str, demand: dict[str, float], sign: int = 1) -> None:
        """Mirror a committed change of the ledger at once, before the sweep reads it."""
        with self._lock:
            if host in self._directory:
                vector = self.cluster.dimensions.vector(demand)
                (self.cluster.reserve if sign > 0 else self.cluster.release)(host, vector)

    # -- questions -----------------------------------------------------------------------------

    def decide(self, load: Load, top: int = 5) -> Decision:
        with self._lock:
            snapshot = self.cluster.snapshot()
        return decide(snapshot, load, time.monotonic(), top=top)

    def decide_many(self, loads: list[Load]) -> list[Decision]:
        with self._lock:
            snapshot = self.cluster.snapshot()
        return decide_many(snapshot, loads, time.monotonic())

    def utilisation(self) -> tuple[np.ndarray, np.ndarray]:
        """Used and reserved as shares of capacity, each [H, R]; NaN where not declared or never reported."""
        with self._lock:
            snapshot = self.cluster.snapshot()
        with np.errstate(divide="ignore", invalid="ignore"):
            used = np.where(snapshot.capacity > 0, snapshot.used / snapshot.capacity, np.nan)
            reserved = np.where(snapshot.capacity > 0, snapshot.reserved / snapshot.capacity, np.nan)
        used[~np.isfinite(snapshot.reported_at)] = np.nan
        return used, reserved

    def states(self, now: float) -> np.ndarray:
        """One byte of ticks.STATE_BITS a host."""
        with self._lock:
            snapshot = self.cluster.snapshot()
        silent = (now - snapshot.reported_at) > SILENT_AFTER_S
        return (np.asarray(snapshot.flags, np.uint8) & 7) | (silent.astype(np.uint8) << 3)

    def measured(self, host: str) -> Measured:
        with self._lock:
            found = self._measured.get(host)
            return Measured(dict(found.used), deque(found.history)) if found else Measured()

    def age_s(self, host: str) -> float | None:
        """Seconds since the host's last report here; None if there was none."""
        with self._lock:
            if host not in self._directory:
                return None
            at = float(self.cluster.snapshot().reported_at[self.cluster.row(host)])
        return time.monotonic() - at if np.isfinite(at) else None

    def names(self) -> list[str]:
        with self._lock:
            return list(self.cluster.names)

    def directory(self) -> dict[str, object]:
        """What a browser must know to read frames: the hosts in row order."""
        with self._lock:
            return {
                "version": self.directory_version,
                "hosts": [
                    {"name": name, "address": self._directory[name][0], "labels": self._directory[name][1],
                     "cores": self.capacity(name).get("cpu", 0.0)}
                    for name in self.cluster.names
                ],
            }


picture = Picture()
