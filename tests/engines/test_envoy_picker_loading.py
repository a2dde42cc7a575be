"""Where the picker cannot be loaded: what serves instead, and how it is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from envoy_rig import NODE, EnvoyRig, answers, service
from picker_rig import Serve, policies, started

from console.engines.envoy import module, render
from console.engines.envoy.process import EnvoyProcess, find_envoy
from console.engines.target import EndpointTarget

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_without_the_module_envoys_own_policy_serves_and_it_is_said(
    short_folder: Path, serve: Serve
) -> None:
    """The cluster is sent without the picker, requests are answered, and the state has the reason."""
    backends = await started(serve, "a", "b")
    rig = EnvoyRig(short_folder / "bare")
    rig.folder.mkdir()
    rig.envoy = EnvoyProcess(rig.folder / "envoy", NODE, rig.xds_socket, modules=short_folder)
    await rig.start()
    try:
        web = service("web", "http", *(each.endpoint() for each in backends))
        state = await rig.publish(web)
        served, listed = await answers(web, 20), await policies(rig, web.name)
    finally:
        await rig.stop()

    assert {"a", "b"} == set(served)
    assert ["least_request"] == listed
    assert () == state.rejections
    assert module.describe(state.picker_fault) == (
        "Envoy's least request, because libsteelyard.so is not installed; build the package with a C compiler"
    )


async def test_a_module_of_another_interface_is_not_used(short_folder: Path) -> None:
    """Another version of Envoy's interface, and a file that is no module, are found out before anything is sent."""
    for name, change in (
        ("v0.9.0", lambda built: built.replace(b"v0.2.0", b"v0.9.0")),
        ("text", lambda _: b"text"),
    ):
        folder = short_folder / name
        folder.mkdir()
        file = folder / "libsteelyard.so"
        file.write_bytes(change((module.FOLDER / file.name).read_bytes()))
        fault = await module.find_fault(find_envoy(), folder)
        assert ("v0.9.0" if name == "v0.9.0" else "file too short") in fault
    assert "" == await module.find_fault(find_envoy())


async def test_a_node_that_says_nothing_gets_no_picker() -> None:
    """Somebody else's Envoy: its cluster has one policy; all other resources are the very same."""
    web = service("web", "http", EndpointTarget("a", "127.0.0.1", 80))
    whole = render.render(render.TrafficTarget((web,)))
    plain = render.render_plain(whole)
    assert whole[render.CLUSTER][web.name] != plain[render.CLUSTER][web.name]
    assert {**whole, render.CLUSTER: {}} == {**plain, render.CLUSTER: {}}
    assert plain == render.render_plain(plain)
