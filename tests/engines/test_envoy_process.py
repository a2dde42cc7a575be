"""Starting and stopping real Envoy processes."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

import pytest

from console.engines.envoy.admin import AdminUnreachable, get
from console.engines.envoy.process import EnvoyFailed, EnvoyProcess


async def test_an_orphan_is_ended_before_a_new_envoy_starts(short_folder: Path) -> None:
    """An Envoy whose starter died without stopping it does not share ports with its successor."""
    folder = short_folder / "orphan"
    orphan = EnvoyProcess(folder, "n1", short_folder / "xds.sock")
    await orphan.start()
    successor = EnvoyProcess(folder, "n1", short_folder / "xds.sock")

    await successor.start()
    status = await orphan.wait()

    assert status == 0
    assert successor.pid not in (None, orphan.pid)
    assert (await get(str(successor.admin_socket), "/server_info")).status_code == 200
    await successor.stop()
    assert successor.pid is None
    with pytest.raises(AdminUnreachable):
        await get(str(successor.admin_socket), "/server_info")


async def test_a_start_that_is_cut_short_leaves_no_envoy(short_folder: Path) -> None:
    """Whoever is told to stop before it has taken over a running Envoy ends that Envoy too."""
    folder = short_folder / "cut"
    running = EnvoyProcess(folder, "n1", short_folder / "xds.sock")
    await running.start()
    successor = EnvoyProcess(folder, "n1", short_folder / "xds.sock")
    taking_over = asyncio.create_task(successor.start(adopt=True))
    await asyncio.sleep(0)  # it has begun, and asks whether Envoy can load the picker

    taking_over.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking_over
    await successor.stop()

    assert await asyncio.wait_for(running.wait(), 5) == 0
    assert not (folder / "envoy.pid").exists()


async def test_two_envoys_live_on_one_machine(short_folder: Path) -> None:
    """Neither shared memory nor sockets clash, and only the owner may open the admin socket."""
    both = [EnvoyProcess(short_folder / name, name, short_folder / "xds.sock") for name in ("a", "b")]
    for envoy in both:
        await envoy.start()

    alive = [(await get(str(envoy.admin_socket), "/server_info")).status_code for envoy in both]
    modes = [stat.S_IMODE(os.stat(envoy.admin_socket).st_mode) for envoy in both]
    for envoy in both:
        await envoy.stop()
        await envoy.stop()

    assert alive == [200, 200]
    assert modes == [0o600, 0o600]


async def test_without_a_control_plane_it_is_not_ready(short_folder: Path) -> None:
    """It starts, but says in bounded time that it is not ready."""
    envoy = EnvoyProcess(short_folder / "alone", "n1", short_folder / "nobody.sock")
    await envoy.start()

    with pytest.raises(EnvoyFailed, match="/ready after 0.3 s: .*INITIALIZING"):
        await envoy.wait_ready(0.3)

    await envoy.stop()


async def test_an_envoy_that_ends_at_once_says_why(short_folder: Path) -> None:
    """The error carries the end of Envoy's own log."""
    envoy = EnvoyProcess(short_folder / "broken", "n1", short_folder / "xds.sock", concurrency=-1)

    with pytest.raises(EnvoyFailed, match="envoy ended while starting"):
        await envoy.start()


def test_a_path_too_long_for_a_socket_is_refused() -> None:
    """The kernel would cut it or refuse it later, with less to say."""
    with pytest.raises(ValueError, match="too long for a Unix socket"):
        EnvoyProcess(Path("/" + "d" * 100), "n1", Path("/xds.sock"))
