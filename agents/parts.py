"""Each disk and each network card of the host, for the page that shows that host: totals hide a full mount.

Cost: one read of /proc/self/mounts, /proc/diskstats and /proc/net/dev, and one statvfs a mount, every EVERY_S. File
systems without a device of their own (NFS, overlays) are not asked: a server that is away would hold up the agent.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

import psutil

from agents.wire import LONGEST_PART, MOST_PARTS, Flow, Mount, Parts

#: A little less than the longest silence of an agent, so that a keepalive carries them.
EVERY_S = 3.5
#: Mounts that are asked; the fullest MOST_PARTS of them are told.
_MOST_ASKED = 64
_BLOCK = Path("/sys/class/block")

Counters = dict[str, tuple[float, float]]


class PartsSampler:
    """Samples the parts of one host. cards: which network cards count now."""

    def __init__(self, clock: Callable[[], float], cards: Callable[[], Collection[str]]) -> None:
        self._clock = clock
        self._cards = cards
        self._disks, self._flows = _disks(), _flows(cards())
        self._counted_at = clock()

    def sample(self) -> Parts | None:
        """What each part holds and moves; None where the last answer is not EVERY_S old."""
        now = self._clock()
        span_s = now - self._counted_at
        if span_s < EVERY_S:
            return None
        disks, flows = _disks(), _flows(self._cards())
        told = Parts(
            mounts=sorted(_mounts(), key=lambda each: -each.used / each.size)[:MOST_PARTS],
            disks=_rates(self._disks, disks, span_s),
            cards=_rates(self._flows, flows, span_s),
        )
        self._disks, self._flows, self._counted_at = disks, flows, now
        return told


def _mounts() -> Iterator[Mount]:
    """The file systems that can fill, each once, under the shortest of its paths."""
    by_device: dict[str, str] = {}
    for each in psutil.disk_partitions(all=False):
        if "ro" in each.opts.split(","):
            continue
        known = by_device.get(each.device)
        if known is None or len(each.mountpoint) < len(known):
            by_device[each.device] = each.mountpoint
    for path in list(by_device.values())[:_MOST_ASKED]:
        try:
            # Containers have files mounted over files.
            if not os.path.isdir(path):  # noqa: PTH112 (a Path of hostile bytes would do the same, slower)
                continue
            usage = psutil.disk_usage(path)
        except OSError:
            continue
        size = float(usage.used + usage.free)
        if size > 0.0:
            yield Mount(readable(path), float(usage.used), size)


def _disks() -> Counters:
    """Bytes read and written by each whole disk; by what is virtual only where nothing is real."""
    found = psutil.disk_io_counters(perdisk=True, nowrap=False)
    whole = [
        name for name in found if (_BLOCK / name).exists() and not (_BLOCK / name / "partition").exists()
    ]
    real = [name for name in whole if (_BLOCK / name / "device").exists()]
    return {name: (float(found[name].read_bytes), float(found[name].write_bytes)) for name in real or whole}


def _flows(cards: Collection[str]) -> Counters:
    """Bytes in and out of each card."""
    found = psutil.net_io_counters(pernic=True, nowrap=False)
    return {
        name: (float(found[name].bytes_recv), float(found[name].bytes_sent))
        for name in cards
        if name in found
    }


def _rates(before: Mapping[str, tuple[float, float]], now: Counters, span_s: float) -> list[Flow]:
    """The busiest first. What came anew, or whose counters were reset, has no rate until the next time."""
    flows = [
        Flow(readable(name), (inwards - before[name][0]) / span_s, (outwards - before[name][1]) / span_s)
        for name, (inwards, outwards) in now.items()
        if name in before and inwards >= before[name][0] and outwards >= before[name][1]
    ]
    return sorted(flows, key=lambda flow: (-flow.inwards - flow.outwards, flow.name))[:MOST_PARTS]


def readable(name: str) -> str:
    """A name as it may be told: printable, and of a long path the end, which tells it from others."""
    text = name.encode("utf-8", "replace").decode()
    text = "".join(each if each.isprintable() else "?" for each in text) or "?"
    return text if len(text) <= LONGEST_PART else f"…{text[1 - LONGEST_PART :]}"
