"""Writing the past: the leading controller, once every step of the fine tier.

observe() reads and computes, which may take a while; keep() only writes, inside the controller's fence.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from console.history.models import Frame, Roster
from console.history.tiers import FINE_WIDTH, Bytes, Tier, over_hosts, summarise, tiers
from console.live.frames import Columns, columns_of
from console.live.picture import Picture

Hosts = list[dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Page:
    """A frame that is not written yet: hosts names the rows of table, uint8[H, W]; digest tells rosters apart."""

    tier: str
    at: datetime
    hosts: Hosts
    digest: str
    table: Bytes
    summary: bytes


@dataclass(frozen=True, eq=False)
class Step:
    """What one step of time adds to the past; pages is empty where there is nothing to add."""

    at: datetime
    pages: list[Page] = field(default_factory=list)


def observe(picture: Picture, now: float, at: datetime) -> Step:
    """The picture of this moment, and coarser frames that are due with it. Writes nothing.

    now: this process's monotonic seconds. Without pages where there is no host, or where this step of time has its
    frame already. O(hosts), and O(hosts x steps) where a coarser frame is due.
    """
    directory = picture.directory()
    columns = columns_of(picture, now)
    if not len(columns) or directory["version"] != columns.directory:
        return Step(at)  # a host came or went between the two looks: the next step has it
    fine, *coarser = tiers()
    moment = _step_of(at, fine)
    if Frame.objects.filter(tier=fine.name, at=moment).exists():
        return Step(at)
    hosts = directory["hosts"]
    newest = _made(fine.name, moment, hosts, _digest(hosts), _rows(columns, now))
    summed = [_summed(tier, _step_of(at, tier), newest) for tier in coarser]
    return Step(at, [newest, *(page for page in summed if page is not None)])


def keep(step: Step) -> int:
    """Write a step, and forget what is older than is kept. Returns how many frames were written.

    Not those that somebody who led before has written meanwhile.
    """
    written = 0
    for page in step.pages:
        if not Frame.objects.filter(tier=page.tier, at=page.at).exists():
            roster, _ = Roster.objects.get_or_create(digest=page.digest, defaults={"hosts": page.hosts})
            data = page.table.tobytes()
            Frame.objects.create(tier=page.tier, at=page.at, roster=roster, summary=page.summary, data=data)
            written += 1
    if written:
        for tier in tiers():
            Frame.objects.filter(tier=tier.name, at__lt=step.at - tier.kept).delete()
        Roster.objects.filter(frames=None).delete()
    return written


def _step_of(at: datetime, tier: Tier) -> datetime:
    """The tier's last step of time that had begun."""
    began = datetime(1970, 1, 1, tzinfo=UTC)
    return began + (at - began) // tier.step * tier.step


def _rows(columns: Columns, now: float) -> Bytes:
    """Columns as uint8[H, 10], a host's bytes together."""
    body = np.frombuffer(columns.body(now), np.uint8)
    hosts = len(columns)
    parts = (body[: 4 * hosts], body[4 * hosts : 8 * hosts], body[8 * hosts : 9 * hosts], body[9 * hosts :])
    return np.concatenate([part.reshape(hosts, -1) for part in parts], axis=1)


def _digest(hosts: Hosts) -> str:
    text = json.dumps(hosts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _made(tier: str, at: datetime, hosts: Hosts, digest: str, table: Bytes) -> Page:
    return Page(tier, at, hosts, digest, table, over_hosts(table).tobytes())


def _summed(tier: Tier, end: datetime, newest: Page) -> Page | None:
    """The tier's frame of the stretch that ended, from the fine frames in it; None where it is there, or they are
    not."""
    if Frame.objects.filter(tier=tier.name, at=end).exists():
        return None
    stretch = list(Frame.objects.filter(tier=newest.tier, at__gt=end - tier.step, at__lte=end))
    # Each roster is read once, and one that is still the same is the same object.
    rosters = {
        found.pk: newest.hosts if found.digest == newest.digest else found.hosts
        for found in Roster.objects.filter(pk__in={frame.roster_id for frame in stretch})
    }
    tables = [
        (rosters[frame.roster_id], np.frombuffer(frame.data, np.uint8).reshape(-1, FINE_WIDTH))
        for frame in stretch
    ]
    if end - tier.step < newest.at <= end:
        tables.append((newest.hosts, newest.table))
    if not tables:
        return None
    # The hosts of the last one; who left before has no row to stand in.
    hosts, _ = tables[-1]
    names = [host["name"] for host in hosts]
    summed = summarise(np.stack([_aligned(table, own, hosts, names) for own, table in tables]))
    return _made(tier.name, end, hosts, newest.digest if hosts is newest.hosts else _digest(hosts), summed)


def _aligned(table: Bytes, own: Hosts, hosts: Hosts, names: list[str]) -> Bytes:
    """A fine frame's rows in the order of other hosts; who was not there is unknown, with no state."""
    if own is hosts:
        return table
    rows = {host["name"]: row for row, host in enumerate(own)}
    made = np.full((len(names), FINE_WIDTH), 255, np.uint8)
    made[:, 8] = 0
    for row, name in enumerate(names):
        if name in rows:
            made[row] = table[rows[name]]
    return made
