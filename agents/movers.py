"""Who moves shards on this host: one mover for each kind of data, asked by name.

A mover is told four things, and each may be told twice (docs/storage.md says what the control plane makes of them):
- serve: make the shard, or the source it is made from, available to one peer that holds the key, until it expires.
- fetch: bring it here from a host that serves it, whole or not at all, and prove it by a digest.
- verify: read what is here and say its digest, "" where there is nothing.
- drop: have nothing of it here any more, also where it is on its way; nothing there is no error.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Protocol

from agents.commands import Refusal, Verb

#: Of commands that name no mover.
USUAL = "tree"


class ShardMover(Protocol):
    """Carries out what is told about shards of one kind. Errors: Refusal, whose text the console shows."""

    async def serve(self, args: dict[str, Any], deadline: float) -> dict[str, Any]:
        """{transfer, source, key, expires_s, rate_bytes_s} -> {port, bytes, digest}."""

    async def fetch(self, args: dict[str, Any], deadline: float) -> dict[str, Any]:
        """{transfer, shard, address, port, key, digest, bytes, rate_bytes_s} -> {bytes, digest}."""

    async def verify(self, args: dict[str, Any], deadline: float) -> dict[str, Any]:
        """{shard} -> {bytes, digest}."""

    async def drop(self, args: dict[str, Any], deadline: float) -> dict[str, Any]:
        """{shard} -> {}."""

    def close(self) -> None:
        """End what is under way; returns when it has ended."""


class Movers:
    """The movers of this host by name. verbs: for the desk; a command says in `mover` whom it is for."""

    def __init__(self, movers: Mapping[str, ShardMover]) -> None:
        self._movers = dict(movers)
        self.verbs: dict[str, Verb] = {
            f"shard.{verb}": self._asked(verb) for verb in ("serve", "fetch", "verify", "drop")
        }

    def close(self) -> None:
        """End all of them."""
        for mover in self._movers.values():
            mover.close()

    def _asked(self, verb: str) -> Verb:
        async def ask(args: dict[str, Any], deadline: float) -> dict[str, Any]:
            name = args.get("mover", USUAL)
            mover = self._movers.get(name) if isinstance(name, str) else None
            if mover is None:
                raise Refusal(
                    f"mover {str(name)[:80]!r} is not known here; there is {', '.join(self._movers)}"
                )
            told: dict[str, Any] = await getattr(mover, verb)(args, deadline)
            return told

        return ask


class NoMover:
    """Moves nothing: for data that others keep, whose placement, moves and room are decided here all the same.

    It says of every shard that it is whole, with the digest of nothing.
    """

    DIGEST = hashlib.sha256().hexdigest()

    async def serve(self, args: dict[str, Any], deadline: float) -> dict[str, Any]:
        """No port is opened; the number is one that nobody asks."""
        return {"port": 1, "bytes": 0, "digest": self.DIGEST}

    async def fetch(self, args: dict[str, Any], deadline: float) -> dict[str, Any]:
        """Done at once."""
        return {"bytes": 0, "digest": self.DIGEST}

    async def verify(self, args: dict[str, Any], deadline: float) -> dict[str, Any]:
        """What it always says."""
        return {"bytes": 0, "digest": self.DIGEST}

    async def drop(self, args: dict[str, Any], deadline: float) -> dict[str, Any]:
        """There is nothing."""
        return {}

    def close(self) -> None:
        """Nothing is under way."""
