"""Making replicas real: each step a command to an agent, each command remembered in the row.

A replica goes reserved -> copying -> ready. The source's agent serves the tree once, to the holder of a
single-use key; the target's agent fetches it, and is done when what it wrote to disk has the source's
digest. A step that fails or is not answered begins a new attempt; after the last one the replica has failed
and says why. Only the controller calls this, with its epoch.
"""

from __future__ import annotations

import logging
import secrets
import uuid
from datetime import timedelta
from typing import Annotated

import msgspec
from django.db import DatabaseError, transaction
from django.utils import timezone

from balancer_core.lifecycle import REPLICA, advance
from console.actions import SYSTEM, Action, Actor
from console.fleet.actions.commands import give
from console.fleet.models import Command, Host
from console.storage.models import Move, Replica, Shard

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 5
SERVE_LIFE_S = 30.0
FETCH_LIFE_S = 3600.0
RETRY_AFTER_S = 2.0
#: Transfers that one sweep keeps under way at most; the others wait.
MOST_AT_ONCE = 4


class _Served(msgspec.Struct):
    """What the source's agent says of a tree that it serves; agents are not trusted."""

    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]
    bytes: Annotated[int, msgspec.Meta(ge=0)]
    digest: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class _MoveAction(Action[None]):
    """Steps of a copy are the system's; they are recorded where a person would look for them."""

    NAME = "shard.copied"

    def __init__(self, replica: Replica, error: str = "") -> None:
        self._replica, self._error = replica, error

    def execute(self, actor: Actor) -> None:
        replica = self._replica
        after = {"host": replica.placement.host.name, "state": replica.state, "attempt": replica.attempt}
        self.record(actor, "shard", replica.shard.name, after=after, reason=self._error[:500])


def advance_replicas(epoch: int) -> int:
    """Take every unfinished replica one step further where it can go, in the caller's transaction.

    Returns how many changed.
    """
    open_replicas = list(
        Replica.objects.select_for_update(of=("self",))
        .select_related(
            "shard__source_host", "shard__pool", "placement__host", "serve__host", "fetch", "arrival__plan"
        )
        .filter(state__in=(Replica.State.RESERVED, Replica.State.COPYING))
    )
    under_way = sum(replica.serve is not None and _move_of(replica) is None for replica in open_replicas)
    changed = 0
    for replica in open_replicas:
        if replica.serve is None:
            if replica.retry_at and timezone.now() < replica.retry_at:
                continue
            # A move began because its plan's caps allow it; the cap here is for what is copied without a plan.
            if _move_of(replica) is None:
                if under_way >= MOST_AT_ONCE:
                    continue
                under_way += 1
        try:
            with transaction.atomic():
                changed += _step(replica, epoch)
        except DatabaseError:
            raise
        except Exception:
            # A defect met by one replica must not keep the others waiting.
            log.exception("replica %s of %s can't go on", replica.pk, replica.shard.name)
    return changed


def _step(replica: Replica, epoch: int) -> bool:
    if replica.serve is None:
        _begin(replica, epoch)
    elif replica.fetch is None:
        match replica.serve.state:
            case Command.State.PENDING:
                return False
            case Command.State.DONE:
                _fetch(replica, epoch)
            case _:
                _again(replica, f"the source could not serve it: {replica.serve.error}")
    else:
        match replica.fetch.state:
            case Command.State.PENDING:
                return False
            case Command.State.DONE:
                _finish(replica)
            case _:
                _again(replica, f"the target could not fetch it: {replica.fetch.error}")
    replica.save()
    return True


def _begin(replica: Replica, epoch: int) -> None:
    host, source = _origin(replica)
    replica.transfer = uuid.uuid4()
    replica.attempt += 1
    replica.retry_at = None
    replica.serve = give(
        host,
        "shard.serve",
        {
            **replica.shard.told,
            "transfer": str(replica.transfer),
            "source": source,
            "key": secrets.token_hex(32),
            "expires_s": _life_s(replica),
            "rate_bytes_s": _rate(replica),
        },
        epoch=epoch,
        life_s=SERVE_LIFE_S,
    )


def _move_of(replica: Replica) -> Move | None:
    """The move by which this copy comes, None for one of a new shard."""
    return getattr(replica, "arrival", None)


def _origin(replica: Replica) -> tuple[Host, str]:
    """From where to copy: what moves from the copy that leaves, or another ready one where that is not to be had, as
    what is repaired; a new shard from the tree that its operator put there."""
    shard, move = replica.shard, _move_of(replica)
    if move is None and replica.ready_at is None:
        return shard.source_host, shard.source_path or shard.name
    ready = shard.replicas.filter(state=Replica.State.READY, placement__host__lost_since=None)
    copies = list(ready.select_related("placement__host"))
    # By turns, so that a copy which can't be read is not asked again and again.
    leaving = move.leaving_id if move else None
    copies.sort(key=lambda copy: (copy.pk != leaving, copy.pk))
    if not copies:
        return shard.source_host, shard.source_path or shard.name
    return copies[replica.attempt % len(copies)].placement.host, shard.name


def _rate(replica: Replica) -> float | None:
    move = _move_of(replica)
    return None if move is None else move.plan.rate


def _life_s(replica: Replica) -> float:
    """At a set rate a large copy takes its time: twice what it needs, and what small ones have."""
    rate = _rate(replica)
    return FETCH_LIFE_S + (2.0 * replica.shard.bytes / rate if rate else 0.0)


def _fetch(replica: Replica, epoch: int) -> None:
    shard, serve = replica.shard, replica.serve
    try:
        served = msgspec.convert(serve.result, _Served)
    except msgspec.ValidationError as error:
        _again(replica, f"the source's answer can't be right: {error}")
        return
    if served.bytes > shard.bytes:
        _again(replica, f"the tree has {served.bytes} bytes, {shard.bytes} are reserved", final=True)
        return
    if shard.digest and shard.digest != served.digest:
        _again(replica, "the source tree has changed since the first replica was made", final=True)
        return
    replica.state = advance(REPLICA, replica.state, "copy")
    replica.fetch = give(
        replica.placement.host,
        "shard.fetch",
        {
            **shard.told,
            "transfer": str(replica.transfer),
            "shard": shard.name,
            "address": serve.host.address,
            "port": served.port,
            "key": serve.args["key"],
            "digest": served.digest,
            "bytes": served.bytes,
            "rate_bytes_s": _rate(replica),
        },
        epoch=epoch,
        life_s=_life_s(replica),
    )


def _finish(replica: Replica) -> None:
    digest = (replica.fetch.result or {}).get("digest", "")
    if digest != (replica.serve.result or {}).get("digest"):
        _again(replica, "the copy's digest differs from the source's")
        return
    # The first copy fixes what the shard is; a copy that raced with it must agree.
    Shard.objects.filter(pk=replica.shard_id, digest="").update(digest=digest)
    if Shard.objects.values_list("digest", flat=True).get(pk=replica.shard_id) != digest:
        _again(replica, "the source tree has changed since the first replica was made", final=True)
        return
    replica.state = advance(REPLICA, replica.state, "verify")
    # The digest that the target said is of what it read back from its disk.
    replica.ready_at = replica.verified_at = timezone.now()
    replica.error = ""
    _forget_key(replica)
    _MoveAction(replica).run(SYSTEM)


def _again(replica: Replica, error: str, *, final: bool = False) -> None:
    replica.error = error[:500]
    _forget_key(replica)
    if final or replica.attempt >= MOST_ATTEMPTS:
        replica.state = advance(REPLICA, replica.state, "fail")
        _MoveAction(replica, error).run(SYSTEM)
        return
    replica.serve = replica.fetch = None
    if replica.state == Replica.State.COPYING:
        replica.state = advance(REPLICA, replica.state, "retry")
    replica.retry_at = timezone.now() + timedelta(seconds=RETRY_AFTER_S * replica.attempt)


def _forget_key(replica: Replica) -> None:
    """The single-use key is spent: it does not stay in the database."""
    for command in (replica.serve, replica.fetch):
        if command is not None:
            command.args = {key: value for key, value in command.args.items() if key != "key"}
            command.save(update_fields=["args"])
