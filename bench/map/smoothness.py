"""B9: how evenly the map is drawn with 10,000 hosts of which 2,000 a second report, beside an element of SVG a host and
ECharts' heatmap, on the same feed, in the same browser, in turn.

The pages, scripts and frames are the console's own; behind them is a light server in a process of its own instead of
the whole product. ECharts comes from npm when this runs.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.figures import Compared
from bench.map.chromium import Chromium, Watched
from bench.map.light import light_server
from bench.map.serve import PEERS
from bench.registry import Settings
from bench.results import Limit, Row, row

HOSTS, UPDATES_PER_S = 10_000, 2000.0
ROUND_S, ROUND_FAST_S = 10.0, 2.0
SETTLE_S, SETTLE_FAST_S = 3.0, 1.0
ECHARTS = "6.1.0"
#: When a page has drawn everything once.
OURS_READY = "document.querySelector('cluster-map')?.painter?.painted >= 10000"
PEER_READY = "document.documentElement.dataset.painted"
#: Row, unit, its figure and what bounds it.
Figured = tuple[str, str, Callable[[Watched], float], Limit]


def figures(drawn: str) -> tuple[Figured, ...]:
    """What is measured of whatever is drawn: "map", "grid"."""
    frame = Limit("a frame of a screen that shows sixty a second", most=17.0)
    soon = Limit("the animation frame that follows, and one more", most=34.0)
    return (
        (f"B9.{drawn}_p99_frame_ms", "ms", lambda each: each.p99_frame_ms, frame),
        (f"B9.{drawn}_p99_drawn_ms", "ms", lambda each: each.p99_drawn_ms, soon),
        (
            f"B9.{drawn}_work_ms_per_s",
            "ms of the page's thread a second",
            lambda each: each.busy_ms,
            Limit("nothing is drawn (0)"),
        ),
    )


async def run(settings: Settings) -> list[Row]:
    """Waits for processes throughout, so nothing else runs on its loop meanwhile."""
    return await asyncio.to_thread(_run, settings)


def _run(settings: Settings) -> list[Row]:
    watched: dict[str, list[Watched]] = {name: [] for name in ("ours", *PEERS)}
    seconds = settings.pick(ROUND_S, ROUND_FAST_S)
    settle = settings.pick(SETTLE_S, SETTLE_FAST_S)
    with _echarts() as modules, light_server(HOSTS, UPDATES_PER_S, modules) as url, Chromium() as browser:
        for _ in range(settings.rounds):
            for name, seen in watched.items():
                path = "/" if name == "ours" else f"/{name}/"
                ready = OURS_READY if name == "ours" else PEER_READY
                seen.append(browser.watch(url + path, ready, settle, seconds))
        version = browser.version()
    return [_row(figure, name, watched, version) for figure in figures("map") for name in PEERS]


def _row(
    figure: Figured,
    peer: str,
    watched: dict[str, list[Watched]],
    version: str,
) -> Row:
    name, unit, of, limit = figure
    identity = name if peer == "svg" else f"{name}.vs_{peer}"
    compared = Compared.of([of(each) for each in watched["ours"]], [of(each) for each in watched[peer]])
    called = PEERS[peer] + (f" {ECHARTS}" if peer == "echarts" else "")
    note = (
        f"{HOSTS} hosts, {UPDATES_PER_S:g} updates a second in four frames, Chromium {version} without a gpu"
    )
    return row(identity, compared, unit, limit, peer=called, packages=("uvicorn", "websockets"), note=note)


@contextmanager
def _echarts() -> Iterator[Path]:
    """A folder of modules with ECharts in it, from the registry that npm is set to use."""
    with tempfile.TemporaryDirectory(prefix="steelyard-bench-") as folder:
        package = {"private": True, "dependencies": {"echarts": ECHARTS}}
        (Path(folder) / "package.json").write_text(json.dumps(package))
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(command, cwd=folder, check=True, timeout=300)
        yield Path(folder) / "node_modules"
