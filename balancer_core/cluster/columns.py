"""The live cluster: hosts as columns, written by reports and by the ledger, read through snapshots.

Rules
1. A struct of arrays: one contiguous float64 array per quantity, grown by an eighth, so that a
   scan reads memory in order.
2. Every write validates all it was given before it changes anything, and raises version by one.
3. One writer at a time: the owner (an event loop, a test) serialises its calls. Snapshots may go to any
   thread.
4. Rows keep the order in which hosts joined; removing one moves the later ones up. Decisions break ties by
   that order.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from balancer_core.cluster.labels import LabelColumns, check_labels
from balancer_core.cluster.snapshot import Snapshot
from balancer_core.errors import InvalidInput
from balancer_core.resources import AMOUNT_LIMIT, Dimensions, InvalidAmount

CORDONED: Final = 1
DRAINING: Final = 2
LOST: Final = 4
DISTRUSTED: Final = 8
ALL_FLAGS: Final = CORDONED | DRAINING | LOST | DISTRUSTED

#: Changes that the cluster remembers at least; who is further behind reads everything anew.
CHANGES: Final = 4096

#: Growth of the columns' room. Small, so that a host never takes much more memory than its numbers do.
GROWTH: Final = 1.125

#: Giving back what was reserved in other portions leaves rounding dust; this much of the amount is dust, not
#: a mistake.
DUST: Final = 1e-9

Number = TypeVar("Number", bound=np.generic)

_HOST_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class InvalidHost(InvalidInput):
    """A host's name, flags or report time that cannot be taken; code unknown, duplicate, invalid_name, ..."""


class Cluster:
    """Hosts by resources. All amounts in base units (cores, bytes, bytes/s)."""

    def __init__(self, dimensions: Dimensions | None = None) -> None:
        self.dimensions = dimensions or Dimensions()
        self.version = 0
        self._names: list[str] = []
        self._rows: dict[str, int] = {}
        self._labels: list[dict[str, str]] = []
        self._matrix: NDArray[np.float64] = np.zeros((3, 16, len(self.dimensions)))
        self._expected: NDArray[np.float32] = np.zeros((16, len(self.dimensions)), dtype=np.float32)
        self._reported_at: NDArray[np.float64] = np.full(16, -np.inf)
        self._flags: NDArray[np.uint8] = np.zeros(16, dtype=np.uint8)
        self._log: list[int] = []
        self._logged_from = 0
        self._roster: tuple[tuple[str, ...], Mapping[str, int], LabelColumns] | None = None
        self._snapshot: Snapshot | None = None

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    @property
    def names(self) -> tuple[str, ...]:
        """The hosts' names, by row."""
        return tuple(self._names)

    def row(self, name: str) -> int:
        """The row of a host. Errors: InvalidHost, code unknown."""
        try:
            return self._rows[name]
        except (KeyError, TypeError):
            raise InvalidHost("host", "unknown", f"there is no host called {str(name)[:80]!r}.") from None

    def add_host(
        self,
        name: str,
        capacity: Mapping[str, float],
        labels: Mapping[str, str] | None = None,
        flags: int = 0,
    ) -> int:
        """A new host at the last row, nothing reserved, never reported. Returns its row. O(1) amortised.

        Errors: InvalidHost (invalid_name, duplicate, invalid_flags), InvalidAmount, InvalidLabel.
        """
        if not isinstance(name, str) or not _HOST_NAME.fullmatch(name):
            reason = f"{str(name)[:80]!r} is not a name of small letters, digits and -"
            raise InvalidHost("name", "invalid_name", reason)
        if name in self._rows:
            raise InvalidHost("name", "duplicate", f"there is already a host called {name}.")
        vector = self.dimensions.capacity_vector(capacity)
        checked_labels = check_labels(labels or {})
        checked_flags = _check_flags(flags)
        row = len(self._names)
        self._grow(row + 1)
        self._matrix[:, row] = 0.0
        self._expected[row] = 0.0
        self._matrix[0, row] = vector
        self._reported_at[row] = -np.inf
        self._flags[row] = checked_flags
        self._names.append(name)
        self._labels.append(checked_labels)
        self._rows[name] = row
        self._changed(roster=True)
        return row

    def remove_host(self, name: str) -> None:
        """Forget a host; later rows move up by one. O(H), which is rare and keeps the order of joining."""
        row, last = self.row(name), len(self._names) - 1
        for column in (*self._matrix, self._expected, self._reported_at, self._flags):
            column[row:last] = column[row + 1 : last + 1]
        del self._names[row], self._labels[row]
        self._rows = {each: r for r, each in enumerate(self._names)}
        self._changed(roster=True)

    def set_capacity(self, name: str, capacity: Mapping[str, float]) -> None:
        """Replace what the host has; what is not named is no longer declared."""
        row, vector = self.row(name), self.dimensions.capacity_vector(capacity)
        self._matrix[0, row] = vector
        self._changed(row)

    def set_reserved(self, name: str, vector: NDArray[np.float64]) -> None:
        """Replace what the ledger says is reserved, float64[R]."""
        row, checked = self.row(name), self.dimensions.check_vector(vector, "reserved")
        self._matrix[1, row] = checked
        self._changed(row)

    def reserve(self, name: str, vector: NDArray[np.float64]) -> None:
        """Add float64[R] to what is reserved. The ledger decides whether it may; this only mirrors it."""
        row, checked = self.row(name), self.dimensions.check_vector(vector, "reserved")
        total = self.dimensions.check_vector(self._matrix[1, row] + checked, "reserved")
        self._matrix[1, row] = total
        self._changed(row)

    def release(self, name: str, vector: NDArray[np.float64]) -> None:
        """Take float64[R] off what is reserved.

        Errors: InvalidAmount, code not_reserved, if that much never was.
        """
        row, checked = self.row(name), self.dimensions.check_vector(vector, "reserved")
        left = self._matrix[1, row] - checked
        missing = left < -DUST * checked
        if missing.any():
            resource = self.dimensions.names[int(missing.argmax())]
            raise InvalidAmount(
                f"reserved.{resource}", "not_reserved", f"less than that is reserved on {name}."
            )
        self._matrix[1, row] = np.maximum(left, 0.0)
        self._changed(row)

    def report(self, name: str, used: Mapping[str, float], now: float) -> None:
        """Take a report: the whole picture of what is used, at the receiver's monotonic second now.

        A resource that is not named counts as not measured (0), so its reservations alone judge it.
        Refused whole, the last good state kept: unknown host, unknown resource, NaN, infinity, negative,
        or more of a declared resource than is credible (code impossible), or now not finite.
        """
        row, vector = self.row(name), self.dimensions.vector(used, "used")
        if not math.isfinite(now):
            raise InvalidHost("now", "not_finite", f"{now!r} is not a time.")
        capacity = self._matrix[0, row].tolist()
        for resource, has, uses in zip(self.dimensions.resources, capacity, vector.tolist(), strict=True):
            if has and uses > has * resource.credible:
                shown, of = (
                    self.dimensions.format(resource.name, uses),
                    self.dimensions.format(resource.name, has),
                )
                raise InvalidAmount(
                    f"used.{resource.name}", "impossible", f"{shown} of {of} cannot be in use."
                )
        self._matrix[2, row] = vector
        self._reported_at[row] = now
        self._changed(row)

    def report_all(
        self, rows: Sequence[int] | NDArray[np.intp], used: NDArray[np.float64], now: float
    ) -> NDArray[np.bool_]:
        """Take reports of different hosts at once, float64[N, R]: each as report() would. Returns bool[N], which of
        them were taken; the others' hosts keep their last good state. O(N R) without a loop in Python.

        Errors: InvalidHost (not_finite) for now; InvalidAmount (wrong_shape).
        """
        if not math.isfinite(now):
            raise InvalidHost("now", "not_finite", f"{now!r} is not a time.")
        at = np.asarray(rows, dtype=np.intp)
        if used.shape != (len(at), len(self.dimensions)):
            shape = (len(at), len(self.dimensions))
            raise InvalidAmount("used", "wrong_shape", f"{used.shape} is not the shape {shape}.")
        capacity = self._matrix[0, at]
        credible = (capacity == 0.0) | (used <= capacity * self.dimensions.credible)
        # NaN is none of these.
        good: NDArray[np.bool_] = np.logical_and.reduce(
            (used >= 0.0) & (used < AMOUNT_LIMIT) & credible, axis=1
        )
        taken = at[good]
        self._matrix[2, taken] = used[good]
        self._reported_at[taken] = now
        self._wrote(taken.tolist())
        return good

    def expect(self, name: str, amounts: Mapping[str, float]) -> None:
        """Replace what is forecast to be in use on the host soon (forecast.py); what is not named is not
        forecast.

        It makes the host dearer, never full: a forecast refuses no load. Errors: InvalidHost, InvalidAmount.
        """
        row, vector = self.row(name), self.dimensions.vector(amounts, "expected")
        self._expected[row] = vector
        self._changed(row)

    def set_flags(self, name: str, flags: int) -> None:
        """Replace the host's flags, an OR of CORDONED, DRAINING, LOST and DISTRUSTED."""
        row, checked = self.row(name), _check_flags(flags)
        self._flags[row] = checked
        self._changed(row)

    def flags(self, name: str) -> int:
        """The host's flags."""
        return int(self._flags[self.row(name)])

    def set_labels(self, name: str, labels: Mapping[str, str]) -> None:
        """Replace the host's labels."""
        row, checked = self.row(name), check_labels(labels)
        self._labels[row] = checked
        self._changed(row, roster=True)

    def snapshot(self) -> Snapshot:
        """The present state, read-only. O(H R) copy after a change, else the same object as before."""
        if self._snapshot is None:
            self._snapshot = self._see(copy=True)
        return self._snapshot

    def view(self) -> Snapshot:
        """The live columns, read-only: for the owner, until the next host joins or leaves. O(1)."""
        return self._see(copy=False)

    def _see(self, copy: bool) -> Snapshot:
        count = len(self._names)
        if self._roster is None:
            self._roster = (
                tuple(self._names),
                MappingProxyType(dict(self._rows)),
                LabelColumns(self._labels),
            )
        names, rows, labels = self._roster
        capacity, reserved, used = (_read_only(column[:count], copy) for column in self._matrix)
        expected = _read_only(self._expected[:count], copy)
        times, flags = _read_only(self._reported_at[:count], copy), _read_only(self._flags[:count], copy)
        return Snapshot(
            self.dimensions,
            names,
            rows,
            capacity,
            reserved,
            used,
            expected,
            times,
            flags,
            labels,
            self.version,
        )

    def open_reserved(self) -> NDArray[np.float64]:
        """float64[H, R], live and writable, for a Placer; what it writes it tells reserved_on()."""
        return self._matrix[1, : len(self._names)]

    def reserved_on(self, rows: Sequence[int]) -> None:
        """These rows of open_reserved() were written, one version each."""
        self._wrote(rows)

    def changes_since(self, version: int) -> list[int] | None:
        """The rows that changed after this version, in order and perhaps repeatedly.

        None where it is not known, or where hosts joined or left, so that rows mean other hosts.
        """
        return self._log[version - self._logged_from :] if version >= self._logged_from else None

    @property
    def column_bytes(self) -> int:
        """What the columns take, room to grow included."""
        return self._matrix.nbytes + self._expected.nbytes + self._reported_at.nbytes + self._flags.nbytes

    def _changed(self, row: int | None = None, roster: bool = False) -> None:
        """row: the one that changed; None for all of them."""
        self.version += 1
        self._snapshot = None
        if roster:
            self._roster = None
        if row is None:
            self._log, self._logged_from = [], self.version
            return
        self._log.append(row)
        self._forget()

    def _wrote(self, rows: Sequence[int]) -> None:
        """These rows changed, one version each."""
        self.version += len(rows)
        self._snapshot = None
        self._log.extend(rows)
        self._forget()

    def _forget(self) -> None:
        """Keep the log short."""
        surplus = len(self._log) - CHANGES
        if surplus > CHANGES:
            del self._log[:surplus]
            self._logged_from += surplus

    def _grow(self, count: int) -> None:
        room = len(self._flags)
        if count <= room:
            return
        more = int(room * GROWTH) - room
        matrix = np.zeros((3, room + more, len(self.dimensions)))
        matrix[:, :room] = self._matrix
        self._matrix = matrix
        self._expected = np.concatenate([self._expected, np.zeros((more, len(self.dimensions)), np.float32)])
        self._reported_at = np.concatenate([self._reported_at, np.full(more, -np.inf)])
        self._flags = np.concatenate([self._flags, np.zeros(more, dtype=np.uint8)])


def _check_flags(flags: int) -> int:
    if isinstance(flags, bool) or not isinstance(flags, int) or flags & ~ALL_FLAGS:
        raise InvalidHost("flags", "invalid_flags", f"{flags!r} is not a sum of known flags.")
    return flags


def _read_only(column: NDArray[Number], copy: bool) -> NDArray[Number]:
    shown = column.copy() if copy else column.view()
    shown.flags.writeable = False
    return shown
