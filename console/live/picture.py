"""The live picture that one process holds: the ledger's promises beside the agents' measurements.

Theory of operation. The database is the truth about hosts and promises; this is a cache of it
in columns, refreshed on a bell and by a sweep, joined with measurements that exist nowhere else
and that one round of reports rebuilds. All methods may be called from any thread: one lock,
held for microseconds.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, takewhile

import numpy as np
from django.conf import settings

from agents.wire import Mount, Parts, Quota, Worker
from balancer_core.batch import decide_many
from balancer_core.cluster import CORDONED, DRAINING, LOST, Cluster, Snapshot
from balancer_core.decision import Decision
from balancer_core.errors import InvalidInput
from balancer_core.forecast import soon
from balancer_core.placement import InvalidLoad, Load, decide
from balancer_core.question import Question
from balancer_core.resources import MAX_RESOURCES, STANDARD, Dimensions, Resource
from console.fleet.models import Host
from console.live.intent import HostRow, Intent, Lines
from console.live.measurements import Measurements
from console.live.ticks import Tick

#: Older reports than this are shown as unknown, never as healthy: three keepalives.
SILENT_AFTER_S = 15.0

#: What a load that is placed now meets when it is at work.
FORECAST_HORIZON_S = 60.0
#: Long enough to see through a burst, short enough to follow a morning.
FORECAST_WINDOW_S = 180.0
FORECAST_SAMPLES = 16
FORECAST_EVERY_S = 15.0
#: Hosts at one look, so that no look takes longer than some tens of milliseconds.
FORECASTS_AT_ONCE = 500

log = logging.getLogger(__name__)

_FLAG_OF_STATE = {
    Host.State.ACTIVE: 0,
    Host.State.CORDONED: CORDONED,
    Host.State.DRAINING: DRAINING,
}


@dataclass
class Told:
    """What a host said of itself beside its measurements."""

    # Its single disks and cards, and when they were told; None by agents that do not tell them.
    parts: Parts | None = None
    parts_at: float = -math.inf
    # Within which periods the kernel limits its cpu, as its last report said.
    quota: Quota | None = None
    # Of the worker that its agent watches, as its last report said.
    worker: Worker | None = None


def extra(name: str) -> Resource:
    """A resource that some host declares beside the standard ones."""
    return Resource(name, "", "capacity", whole=name in settings.STEELYARD_WHOLE_RESOURCES)


class Picture:
    """Hosts as columns, kept true to the database by load() and fresh by report()."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        # One load at a time: what was read earlier must not overwrite what was read later.
        self._loading = threading.Lock()
        #: Whether changes of this process were mirrored that no load has read yet; a load that
        #: ran between a commit and its mirror has counted one of them twice.
        self.ahead = False
        self.cluster = Cluster(Dimensions(STANDARD))
        self.directory_version = 0
        self._directory: dict[str, tuple[object, ...]] = {}
        self._measurements = Measurements(len(STANDARD))
        self._told: dict[str, Told] = {}
        # When each host's forecast was last looked at, the longest ago first; and of whom a rise was forecast.
        self._foreseen: dict[str, float] = {}
        self._rising: set[str] = set()
        # Where the last load ended, and the hosts that were mirrored since: they are read again in any case.
        self._intent = Intent()
        self._mirrored: set[str] = set()

    # -- from the database ---------------------------------------------------------------------

    def load(self) -> None:
        """Read hosts and ledger. Hosts that are gone leave; measurements of the others stay."""
        with self._loading:
            self.ahead = False
            self._load()

    def _load(self) -> None:
        with self._lock:
            # What is mirrored from here on may be read as well: it stays for the next load.
            mirrored, self._mirrored = self._mirrored, set()
        try:
            look = self._intent.look(mirrored)
            extras = sorted(look.resources() - set(self.cluster.dimensions.names))
            # Columns that start again are filled with all hosts.
            widens = bool(extras) and len(self.cluster.dimensions) < MAX_RESOURCES
            if widens:
                look = self._intent.whole()
        except Exception:
            with self._lock:
                self._mirrored |= mirrored
            raise
        with self._lock:
            if widens:
                before = self.cluster.snapshot()
                self._widen(extras)
            gone = self._directory.keys() - look.names
            for name in gone:
                self.cluster.remove_host(name)
                del self._directory[name]
                self._told.pop(name, None)
                self._foreseen.pop(name, None)
            self._measurements.forget(gone)
            self._rising -= gone
            changed = bool(gone)
            known = set(self.cluster.dimensions.names)
            for host in look.hosts:
                lines = {name: line for name, line in look.lines[host.pk].items() if name in known}
                try:
                    changed |= self._load_host(host, lines)
                except InvalidInput:
                    # Checked when it was written; should one slip through, the others are still read.
                    log.exception("host %s can't be shown", host.name)
            if widens:
                self._report_again(before)
            if changed:
                self.directory_version += 1

    def _load_host(self, host: HostRow, lines: Lines) -> bool:
        """Bring one row up to date. True where what a browser's directory shows has changed."""
        capacity = {resource: line[0] for resource, line in lines.items()}
        reserved = {resource: line[1] for resource, line in lines.items()}
        labels = host.labelled()
        entry = (host.address, labels, host.state, host.lost_since is not None, capacity)
        known = self._directory.get(host.name)
        if known is None:
            self.cluster.add_host(host.name, capacity, labels)
        elif known[4] != capacity:
            self.cluster.set_capacity(host.name, capacity)
        if known is not None and known[1] != labels:
            self.cluster.set_labels(host.name, labels)
        flags = _FLAG_OF_STATE[Host.State(host.state)] | (LOST if host.lost_since else 0)
        self.cluster.set_flags(host.name, flags)
        self.cluster.set_reserved(host.name, self.cluster.dimensions.vector(reserved))
        self._directory[host.name] = entry
        return known is None or known[:2] != entry[:2] or known[4] != capacity

    def _widen(self, extras: list[str]) -> None:
        """Start the columns again with further resources, as many as the core can hold."""
        more = (extra(name) for name in extras[: MAX_RESOURCES - len(self.cluster.dimensions)])
        self.cluster = Cluster(Dimensions((*self.cluster.dimensions.resources, *more)))
        self._measurements.widen(len(self.cluster.dimensions))
        self._directory.clear()
        self.directory_version += 1

    def _report_again(self, before: Snapshot) -> None:
        """Put the last measurements into columns that were just made."""
        more = len(self.cluster.dimensions) - before.used.shape[1]
        used = np.pad(before.used, ((0, 0), (0, more)))
        for row in np.flatnonzero(np.isfinite(before.reported_at)).tolist():
            if before.names[row] in self.cluster:
                # Refused where its capacity has changed meanwhile: the next report fills it.
                at = float(before.reported_at[row])
                self.cluster.report_all([self.cluster.row(before.names[row])], used[row : row + 1], at)

    # -- from the agents -----------------------------------------------------------------------

    def foresee(self, now: float) -> int:
        """Bring the forecasts of some hosts up to date, those first that waited longest; how many."""
        with self._lock:
            waited = takewhile(lambda each: now - each[1] >= FORECAST_EVERY_S, self._foreseen.items())
            due = [name for name, _ in islice(waited, FORECASTS_AT_ONCE)]
            for name in due:
                del self._foreseen[name]
                self._foreseen[name] = now
            expected: dict[str, dict[str, float]] = {}
            resources = self.cluster.dimensions.names
            for names, times, used in self._measurements.samples(
                due, now - FORECAST_WINDOW_S, FORECAST_SAMPLES // 2, FORECAST_SAMPLES
            ):
                rising = soon(times, used, now, FORECAST_HORIZON_S)
                for row in np.flatnonzero(rising.any(axis=1)).tolist():
                    expected[names[row]] = dict(zip(resources, rising[row].tolist(), strict=True))
            for name in self._rising.intersection(due) | expected.keys():
                self.cluster.expect(name, expected.get(name, {}))
            self._rising = self._rising.difference(due) | expected.keys()
            return len(due)

    def knows(self, host: str) -> bool:
        with self._lock:
            return host in self._directory

    def capacity(self, host: str) -> dict[str, float]:
        """Resource name to amount, as the ledger has it. Empty for a host that is not known."""
        with self._lock:
            entry = self._directory.get(host)
            return dict(entry[4]) if entry else {}  # type: ignore[call-overload]

    def report(
        self,
        host: str,
        used: dict[str, float],
        now: float,
        parts: Parts | None = None,
        quota: Quota | None = None,
        worker: Worker | None = None,
    ) -> bool:
        """Take one report at this process's monotonic time. False where the host is not known (yet).

        Raises InvalidAmount naming the field of a figure that can't be right; the host keeps its last good state.
        """
        with self._lock:
            if host not in self._directory:
                return False
            self.cluster.report(host, used, now)
            point = [used.get(each, math.nan) for each in self.cluster.dimensions.names]
            self._heard(host, point, now, parts, quota, worker)
            return True

    def take_tick(self, tick: Tick, now: float) -> int:
        """Take what another process heard. Returns how many rows did not go with what is known here:
        that process has read a newer capacity or resource than this one, which must look at the database."""
        with self._lock:
            dimensions = self.cluster.dimensions
            if not set(tick.resources) <= set(dimensions.names):
                return len(tick.hosts)
            known = [place for place, host in enumerate(tick.hosts) if host in self._directory]
            used = np.full((len(known), len(dimensions)), np.nan)
            used[:, [dimensions.index(name) for name in tick.resources]] = tick.table()[known]
            hosts = [tick.hosts[place] for place in known]
            rows = [self.cluster.row(host) for host in hosts]
            taken = self.cluster.report_all(rows, np.where(np.isnan(used), 0.0, used), now)
            for place in np.flatnonzero(taken).tolist():
                host = hosts[place]
                told = (each.get(host) for each in (tick.parts, tick.quotas, tick.workers))
                self._heard(host, used[place], now, *told)  # type: ignore[arg-type]
            return len(tick.hosts) - int(taken.sum())

    def _heard(
        self,
        host: str,
        used: Sequence[float] | np.ndarray,
        now: float,
        parts: Parts | None,
        quota: Quota | None,
        worker: Worker | None,
    ) -> None:
        """Keep what the columns do not hold. used: [R], NaN where it was not measured."""
        self._measurements.take(host, used, now)
        self._foreseen.setdefault(host, -math.inf)
        if parts is None and quota is None and worker is None and host not in self._told:
            return
        told = self._told.setdefault(host, Told())
        told.quota, told.worker = quota, worker
        if parts is not None:
            told.parts, told.parts_at = parts, now

    def reserve(self, host: str, demand: dict[str, float], sign: int = 1) -> None:
        """Mirror a committed change of the ledger at once, before the sweep reads it."""
        with self._lock:
            if host in self._directory:
                self.ahead = True
                self._mirrored.add(host)
                vector = self.cluster.dimensions.vector(demand)
                if sign > 0:
                    self.cluster.reserve(host, vector)
                else:
                    # A load may have read the change already: never more than there is.
                    reserved = self.cluster.view().reserved[self.cluster.row(host)]
                    self.cluster.release(host, np.minimum(vector, reserved))

    # -- questions -----------------------------------------------------------------------------

    def decide(self, load: Load, top: int = 5) -> Decision:
        with self._lock:
            snapshot = self.cluster.snapshot()
        return decide(snapshot, load, time.monotonic(), top=top)

    def check(self, load: Load) -> None:
        """Raises InvalidLoad where it can't be asked of this cluster: a resource that no host has."""
        Question.put(self.view()[0], load, time.monotonic())

    def check_all(self, loads: list[Load], before: str = "") -> None:
        """check() each. Raises InvalidLoad with the load's position in front of its field."""
        snapshot, now = self.view()[0], time.monotonic()
        for position, load in enumerate(loads):
            try:
                Question.put(snapshot, load, now)
            except InvalidLoad as error:
                raise InvalidLoad(f"{before}{position}.{error.field}", error.code, error.reason) from None

    def decide_many(self, loads: list[Load]) -> list[Decision]:
        with self._lock:
            snapshot = self.cluster.snapshot()
        return decide_many(snapshot, loads, time.monotonic())

    def view(self) -> tuple[Snapshot, int]:
        """The present columns and the version of the directory that names their rows."""
        with self._lock:
            return self.cluster.snapshot(), self.directory_version

    def utilisation(self, snapshot: Snapshot | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Used and reserved as shares of capacity, each [H, R]; NaN where not declared or never reported."""
        snapshot = snapshot or self.view()[0]
        with np.errstate(divide="ignore", invalid="ignore"):
            used = np.where(snapshot.capacity > 0, snapshot.used / snapshot.capacity, np.nan)
            reserved = np.where(snapshot.capacity > 0, snapshot.reserved / snapshot.capacity, np.nan)
        used[~np.isfinite(snapshot.reported_at)] = np.nan
        return used, reserved

    def states(self, now: float, snapshot: Snapshot | None = None) -> np.ndarray:
        """One byte of ticks.STATE_BITS a host."""
        snapshot = snapshot or self.view()[0]
        silent = (now - snapshot.reported_at) > SILENT_AFTER_S
        return (np.asarray(snapshot.flags, np.uint8) & 7) | (silent.astype(np.uint8) << 3)

    def history(self, host: str) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
        """The host's measurements of the last minutes, oldest first: the resources' names [R], monotonic seconds [N],
        and what was in use, float32[N, R], NaN where it was not measured."""
        with self._lock:
            return self.cluster.dimensions.names, *self._measurements.of(host)

    def last_used(self, hosts: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
        """The resources' names [R], and the hosts' last measurements, float32[N, R]; NaN where there are none."""
        with self._lock:
            return self.cluster.dimensions.names, self._measurements.last(hosts)

    def used(self, host: str) -> dict[str, float]:
        """The host's last measurements by resource; empty before the first."""
        with self._lock:
            if host not in self._measurements:
                return {}
            measured = ~np.isnan(self._measurements.last([host])[0])
            exact = self.cluster.view().used[self.cluster.row(host)].tolist()
            names = self.cluster.dimensions.names
        return {name: amount for name, amount, has in zip(names, exact, measured, strict=True) if has}

    def quota(self, host: str) -> Quota | None:
        """How the kernel limits its cpu in periods, as last reported; None where it does not, or none said so."""
        with self._lock:
            found = self._told.get(host)
            return found.quota if found else None

    def worker(self, host: str) -> Worker | None:
        """The worker that its agent watches, as last reported; None where it watches none."""
        with self._lock:
            found = self._told.get(host)
            return found.worker if found else None

    def workers(self) -> dict[str, Worker]:
        """By host, of those whose agents watch one; of a silent host as it was when it was heard last."""
        with self._lock:
            return {name: each.worker for name, each in self._told.items() if each.worker is not None}

    def parts(self, host: str) -> tuple[Parts, float] | None:
        """The host's single disks and cards and their age in seconds; None where they are not known (any more)."""
        with self._lock:
            found = self._told.get(host)
            parts, age_s = (found.parts, time.monotonic() - found.parts_at) if found else (None, math.inf)
        return None if parts is None or age_s > SILENT_AFTER_S else (parts, age_s)

    def fullest_mounts(self) -> dict[str, Mount]:
        """By host, of those whose mounts are known."""
        now = time.monotonic()
        with self._lock:
            known = [
                (name, each.parts)
                for name, each in self._told.items()
                if each.parts is not None and now - each.parts_at <= SILENT_AFTER_S
            ]
        return {
            name: max(parts.mounts, key=lambda mount: mount.used / mount.size)
            for name, parts in known
            if parts.mounts
        }

    def age_s(self, host: str) -> float | None:
        """Seconds since the host's last report here; None if there was none."""
        with self._lock:
            if host not in self._directory:
                return None
            at = float(self.cluster.view().reported_at[self.cluster.row(host)])
        return time.monotonic() - at if np.isfinite(at) else None

    def silent(self, now: float) -> list[str]:
        """The hosts without a report in the last SILENT_AFTER_S; their figures are unknown, not healthy."""
        with self._lock:
            snapshot = self.cluster.snapshot()
        quiet = (now - snapshot.reported_at) > SILENT_AFTER_S
        return [snapshot.names[row] for row in np.flatnonzero(quiet).tolist()]

    def names(self) -> list[str]:
        with self._lock:
            return list(self.cluster.names)

    def addresses(self) -> dict[str, str]:
        """Every host's address."""
        with self._lock:
            return {name: str(entry[0]) for name, entry in self._directory.items()}

    def labels(self) -> dict[str, dict[str, str]]:
        """Every host's labels."""
        with self._lock:
            return {name: entry[1] for name, entry in self._directory.items()}  # type: ignore[misc]

    def directory(self) -> dict[str, object]:
        """What a browser must know to read frames: the hosts in row order."""
        with self._lock:
            return {
                "version": self.directory_version,
                "hosts": [
                    {
                        "name": name,
                        "address": self._directory[name][0],
                        "labels": self._directory[name][1],
                        "cores": self.capacity(name).get("cpu", 0.0),
                    }
                    for name in self.cluster.names
                ],
            }


picture = Picture()
