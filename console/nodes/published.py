"""The last published target, kept so that the guard also holds for a new leader's first one."""

from __future__ import annotations

import logging

import msgspec

from console.engines.target import TrafficTarget
from console.nodes.models import Published

log = logging.getLogger(__name__)

ROW = 1


def baseline() -> TrafficTarget | None:
    """What was published last; None where nothing was, or what is kept cannot be read any more."""
    row = Published.objects.filter(pk=ROW).first()
    if row is None:
        return None
    try:
        return msgspec.convert(row.target, TrafficTarget)
    except msgspec.ValidationError as error:
        # A target of a later version: the guard then has nothing to compare with, as on the first start.
        log.warning("the last published target cannot be read: %s", error)
        return None


def keep(target: TrafficTarget) -> None:
    """Remember target's services, none of the secrets beside them. Called inside the leader's fence."""
    services = TrafficTarget(services=target.services, epoch=target.epoch)
    document = msgspec.json.decode(msgspec.json.encode(services))
    Published.objects.update_or_create(pk=ROW, defaults={"epoch": target.epoch, "target": document})


def shape(target: TrafficTarget) -> int:
    """What of a target the guard looks at, as one number: it is kept when that changes, not at each weight."""
    return hash(
        frozenset((each.name, frozenset(one.key for one in each.endpoints)) for each in target.services)
    )
