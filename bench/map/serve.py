"""`python -m bench.map.serve HOSTS UPDATES_PER_S PORT MODULES`: the map on a light server, and its peers."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import uvicorn

from bench.map.fleet import Fleet
from bench.map.pages import GRID, MAP, render
from bench.map.server import MapServer

#: Other ways to draw the same, and how they are called in the results.
PEERS = {"svg": "an element of SVG a host", "echarts": "ECharts' heatmap"}
DRAWERS = Path(__file__).parent / "peers"


async def serve(hosts: int, updates_per_s: float, port: int, modules: Path) -> None:
    """Until the process is told to end."""
    pages = {"/": render("fleet/map.html", MAP, hosts), "/hosts/": render("fleet/hosts.html", GRID, hosts)}
    pages |= {f"/{name}/": render("peer.html", (f"/peers/{name}.js",), hosts) for name in PEERS}
    folders = {"/peers/": DRAWERS, "/npm/": modules}
    application = MapServer(Fleet(hosts, time.monotonic()), pages, folders)
    config = uvicorn.Config(
        application, host="127.0.0.1", port=port, log_level="warning", ws="websockets-sansio"
    )
    ticking = asyncio.create_task(application.run(updates_per_s))
    await uvicorn.Server(config).serve()
    ticking.cancel()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))
