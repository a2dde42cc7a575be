"""What the hosts of bench.fleet_rows report: it comes over the broker, as from another web process of their agents."""

from __future__ import annotations

import asyncio
import itertools

import numpy as np
import redis.asyncio as redis

from bench.fleet_rows import RESOURCES, name_of
from bench.plane import ControlPlane
from console.live.ticks import Tick, encode_tick

#: As console.live.bus names it, for the embedded broker's only database.
TICKS = "steelyard.0.ticks"
#: As console.live.feed has it.
TICK_S = 0.25


async def report_always(plane: ControlPlane, hosts: int, updates_per_s: float) -> None:
    """Every host in turn, with figures that go up and down, until cancelled."""
    rng = np.random.default_rng(1)
    many = int(updates_per_s * TICK_S)
    names = [name_of(number) for number in range(hosts)]
    resources = list(RESOURCES)
    scale = np.array(list(RESOURCES.values()))
    async with redis.Redis.from_url(plane.place.broker_url.read_text().strip()) as broker:
        for seq in itertools.count(1):
            first = (seq * many) % hosts
            used = (rng.uniform(0.1, 0.9, (many, len(resources))) * scale).astype(np.float32)
            tick = Tick("bench", seq, resources, names[first : first + many], used.tobytes())
            await broker.publish(TICKS, encode_tick(tick))
            await asyncio.sleep(TICK_S)
