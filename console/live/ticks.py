"""Ticks: what hosts reported, exact, between processes over the broker. Browsers get frames."""

from __future__ import annotations

import msgspec
import numpy as np

from agents.wire import Parts, Quota, Worker


class Tick(msgspec.Struct, array_like=True, frozen=True):
    """Measurements of the hosts that reported since the last tick of this source.

    used: float32, row-major [len(hosts), len(resources)], in the resources' units; NaN is what was not measured.
    seq rises by one a tick; a receiver that sees a gap loses nothing but freshness,
    since every keepalive of a host carries all its values again. parts: by host, of those that told their disks
    and cards. quotas: by host, of those whose cpu is limited in periods. workers: by host, of those whose agents watch
    one.
    """

    source: str
    seq: int
    resources: list[str]
    hosts: list[str]
    used: bytes
    parts: dict[str, Parts] = {}
    quotas: dict[str, Quota] = {}
    workers: dict[str, Worker] = {}

    def table(self) -> np.ndarray:
        """used as an array, float32[len(hosts), len(resources)]."""
        return np.frombuffer(self.used, np.float32).reshape(len(self.hosts), len(self.resources))


encode_tick = msgspec.msgpack.Encoder().encode
decode_tick = msgspec.msgpack.Decoder(Tick).decode
