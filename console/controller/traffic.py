"""One leader's traffic: read what is wanted, steer, keep what the next leader must know, note what rollouts did."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from django.conf import settings

from console.actions import SYSTEM
from console.controller.lease import fenced
from console.controller.steer import Steerer
from console.controller.targets import services_now
from console.engines import Engine, engine_class
from console.engines.target import TrafficTarget
from console.live.picture import picture
from console.live.threads import in_thread
from console.nodes import published
from console.nodes.actions.publish import carried_out, meant_now
from console.nodes.actions.rollout import NoteRollout
from console.nodes.actions.tokens import node_of
from console.nodes.doors import doors
from console.place import Place
from console.traffic.models import Service
from console.traffic.secrets import Secrets, SecretsReader
from console.traffic.view import TrafficSeen


class Traffic:
    """The engine and its steering, from start() to stop()."""

    def __init__(self, engine: Engine, epoch: int) -> None:
        self._engine, self._epoch = engine, epoch
        self._steerer = Steerer(picture, engine, epoch)
        self._kept: int | None = None
        self._secrets = SecretsReader()

    @classmethod
    async def lead(cls, epoch: int) -> Traffic:
        """The engine as the settings have it, serving; OSError if a door cannot be opened."""
        place = Place(settings.STEELYARD_DATA)
        place.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        engine = engine_class("envoy")(doors(), baseline=await in_thread(published.baseline), admit=_admit)
        await engine.start()
        return cls(engine, epoch)

    async def step(self) -> TrafficSeen:
        """Once round. Raises Fenced where another leads."""
        services, meant, secrets = await in_thread(self._wanted)
        seen = await self._steerer.step(services, time.monotonic(), meant, secrets)
        told = self._engine.take_told()
        target = self._engine.target
        shape = published.shape(target) if target is not None else None
        if told or meant or shape != self._kept:
            await in_thread(self._write, target if meant or shape != self._kept else None, meant, told)
            self._kept = shape
        return seen

    async def stop(self) -> None:
        """The engines go on with what they have."""
        await self._engine.stop()

    def _wanted(self) -> tuple[list[Service], frozenset[str], Secrets]:
        return services_now(), meant_now(), self._secrets.now()

    def _write(self, target: TrafficTarget | None, meant: frozenset[str], told: Sequence[Any]) -> None:
        with fenced(self._epoch):
            if target is not None:
                published.keep(target)
            if meant:
                carried_out(meant)
        for each in told:
            names = sorted({name for _, name in each.keys})
            with fenced(self._epoch):
                NoteRollout(each.kind, each.node, names, each.text).run(SYSTEM)


async def _admit(token: str) -> str | None:
    return await in_thread(node_of, token)
