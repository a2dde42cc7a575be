"""Envoy behind the face that the controller sees."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_backends import HttpBackend
from envoy_rig import answers, service

from console.engines import Engine, engine_class
from console.engines.envoy.process import EnvoyProcess
from console.engines.guard import GuardRefused
from console.engines.target import ServiceTarget, TrafficTarget


async def test_the_engine_applies_observes_and_tells(short_folder: Path) -> None:
    """A target applied is traffic carried, figures observed, and a state that says who took it."""
    backend = HttpBackend("first")
    await backend.start()
    envoy = EnvoyProcess(short_folder / "engine", "n1", short_folder / "engine.sock")
    engine: Engine = engine_class("envoy")(short_folder / "engine.sock", envoy.admin_socket)
    web = service("web", "http", backend.endpoint())
    try:
        await engine.start()
        engine.apply(TrafficTarget((web,), epoch=3))
        await envoy.start()
        await envoy.wait_ready()
        found = await answers(web, 5)
        seen = await engine.observe()
        with pytest.raises(GuardRefused):
            empty = ServiceTarget(web.name, "http", web.listen_address, web.listen_port)
            engine.apply(TrafficTarget((empty,), epoch=3))
        state = engine.state["n1"]
    finally:
        await envoy.stop()
        await engine.stop()
        await backend.kill()

    assert found == {"first": 5}
    assert seen[web.name][backend.endpoint().key].rq_total == 5
    assert state.connected
    assert state.rejections == ()
