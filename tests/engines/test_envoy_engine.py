"""Envoy behind the face that the controller sees."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_backends import HttpBackend
from envoy_rig import answers, eventually, service
from relay_rig import RelayRig

from console.engines import Engine, engine_class
from console.engines.envoy.doors import Door
from console.engines.guard import GuardRefused
from console.engines.target import ServiceTarget, TrafficTarget


async def test_the_engine_applies_observes_and_tells(short_folder: Path) -> None:
    """A target applied is traffic carried, figures observed, and a state that says who took it."""
    backend = HttpBackend("first")
    await backend.start()
    address = f"unix:{short_folder}/engine.sock"
    node = RelayRig(short_folder, "n1", address)
    engine: Engine = engine_class("envoy")((Door(address),))
    web = service("web", "http", backend.endpoint())
    try:
        await engine.start()
        engine.apply(TrafficTarget((web,), epoch=3))
        await node.start()

        async def seen() -> bool:
            figures = (await engine.observe()).get(web.name)
            return figures is not None and figures.endpoints[backend.endpoint().key].health == "healthy"

        assert await eventually(seen)
        found = await answers(web, 5)

        async def counted() -> bool:
            return (await engine.observe())[web.name].endpoints[backend.endpoint().key].rq_total == 5

        assert await eventually(counted)
        with pytest.raises(GuardRefused):
            empty = ServiceTarget(web.name, "http", web.listen_address, web.listen_port)
            engine.apply(TrafficTarget((empty,), epoch=3))
        state = engine.state["n1"]
    finally:
        await node.close()
        await engine.stop()
        await backend.kill()

    assert found == {"first": 5}
    assert set(engine.seen_by()) == {"n1"}
    assert state.ads.connected
    assert state.ads.rejections == ()
