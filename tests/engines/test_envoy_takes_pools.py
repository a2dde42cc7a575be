"""What we call valid, a real Envoy takes: it refuses no pool that could be made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from envoy_rig import EnvoyRig
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pool_backends import pooled
from pool_strategies import pools

from console.engines.target import EndpointTarget, Protocol
from console.engines.target.pool import Pool

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: Nobody listens there, so that the checks' connections are refused at once.
ENDPOINTS = tuple(EndpointTarget(f"h{port}", "127.0.0.1", port) for port in (1, 2))


def _named(pool: Pool) -> bool:
    """Whether it names certificates, which would have to be there for Envoy to go on."""
    tls = pool.upstream.tls
    return tls is not None and (tls.authority != "system" or bool(tls.certificate))


@pytest.mark.parametrize("protocol", ["http", "tcp", "udp"])
async def test_envoy_refuses_no_pool(rig: EnvoyRig, protocol: Protocol) -> None:
    """Forty at a time, of all kinds."""
    drawn: list[Pool] = []

    @settings(
        database=None, max_examples=40, deadline=None, derandomize=True,
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
    )  # fmt: skip
    @given(st.lists(pools(protocol).filter(lambda pool: not _named(pool)), min_size=1, max_size=1))
    def draw(found: Any) -> None:
        drawn.extend(found)

    draw()
    # An address for each: forty free ports, asked for one after the other, need not be forty.
    services = [
        replace(
            pooled("any", protocol, pool, *ENDPOINTS),
            listen_address=f"127.9.{number // 200}.{number % 200 + 1}",
        )
        for number, pool in enumerate(drawn)
    ]

    node = await rig.publish(*services)

    assert len(services) >= 30
    assert node.rejections == ()
    await rig.publish()
