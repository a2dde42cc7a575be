"""Writing the past: the leading controller, once every step of the fine tier. Fence the calls by its epoch."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import numpy as np

from console.history.models import Frame, Roster
from console.history.tiers import FINE_WIDTH, Bytes, Tier, summarise, tiers
from console.live.frames import Columns, columns_of
from console.live.picture import Picture


def record(picture: Picture, now: float, at: datetime) -> int:
    """Keep the picture of this moment, coarser frames that are due, and forget what is older than is kept.

    now: this process's monotonic seconds. Returns how many frames were written; 0 where there is no host, or where
    this step of time has its frame already.
    """
    directory = picture.directory()
    columns = columns_of(picture, now)
    if not len(columns) or directory["version"] != columns.directory:
        return 0  # a host came or went between the two looks: the next step has it
    fine, *coarser = tiers()
    moment = _step_of(at, fine)
    if Frame.objects.filter(tier=fine.name, at=moment).exists():
        return 0
    roster = _roster(directory["hosts"])
    data = _rows(columns, now).tobytes()
    Frame.objects.create(tier=fine.name, at=moment, roster=roster, data=data)
    written = 1 + sum(_summarise(tier, _step_of(at, tier)) for tier in coarser)
    for tier in tiers():
        Frame.objects.filter(tier=tier.name, at__lt=at - tier.kept).delete()
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


def _roster(hosts: object) -> Roster:
    text = json.dumps(hosts, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()
    found, _ = Roster.objects.get_or_create(digest=digest, defaults={"hosts": hosts})
    return found


def _summarise(tier: Tier, end: datetime) -> int:
    """Write the tier's frame of the stretch that ended, from the fine frames in it; 1, or 0 where it is there."""
    if Frame.objects.filter(tier=tier.name, at=end).exists():
        return 0
    stretch = Frame.objects.filter(tier="fine", at__gt=end - tier.step, at__lte=end).select_related("roster")
    frames = list(stretch)
    if not frames:
        return 0
    # The hosts of the last one; who left before has no row to stand in.
    roster = frames[-1].roster
    names = [host["name"] for host in roster.hosts]
    aligned = [_aligned(frame, roster, names) for frame in frames]
    data = summarise(np.stack(aligned)).tobytes()
    Frame.objects.create(tier=tier.name, at=end, roster=roster, data=data)
    return 1


def _aligned(frame: Frame, roster: Roster, names: list[str]) -> Bytes:
    """A fine frame's rows in the order of another roster; who was not there is unknown, with no state."""
    table = np.frombuffer(frame.data, np.uint8).reshape(-1, FINE_WIDTH)
    if frame.roster_id == roster.pk:
        return table
    rows = {host["name"]: row for row, host in enumerate(frame.roster.hosts)}
    made = np.full((len(names), FINE_WIDTH), 255, np.uint8)
    made[:, 8] = 0
    for row, name in enumerate(names):
        if name in rows:
            made[row] = table[rows[name]]
    return made
