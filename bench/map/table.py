"""B9: how evenly the live table of hosts is drawn, in the order of its figures, with 10,000 hosts of which 2,000 a
second report, beside a plain table with a row of the document a host: the same feed and browser, in turn.

Both put all hosts in order anew with every frame of the feed.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from bench.figures import Compared
from bench.map.chromium import Chromium, Watched
from bench.map.light import light_server
from bench.map.serve import TABLE
from bench.map.smoothness import HOSTS, ROUND_FAST_S, ROUND_S, SETTLE_FAST_S, SETTLE_S, UPDATES_PER_S
from bench.registry import Settings
from bench.results import Limit, Row, row

PAGES = {
    "ours": ("/hosts/?sort=-cpu", "document.querySelector('host-grid .live-grid:not([hidden]) .rows .row')"),
    "peer": ("/table/", "document.documentElement.dataset.painted"),
}
FRAME = Limit("a frame of a screen that shows sixty a second", most=17.0)
DRAWN = Limit("the animation frame that follows, and one more", most=34.0)
WORK = Limit("nothing is drawn (0)")


async def run(settings: Settings) -> list[Row]:
    """Waits for processes throughout, so nothing else runs on its loop meanwhile."""
    return await asyncio.to_thread(_run, settings)


def _run(settings: Settings) -> list[Row]:
    watched: dict[str, list[Watched]] = {name: [] for name in PAGES}
    seconds = settings.pick(ROUND_S, ROUND_FAST_S)
    settle = settings.pick(SETTLE_S, SETTLE_FAST_S)
    with light_server(HOSTS, UPDATES_PER_S, Path()) as url, Chromium() as browser:
        for _ in range(settings.rounds):
            for name, (path, ready) in PAGES.items():
                watched[name].append(browser.watch(url + path, ready, settle, seconds))
        version = browser.version()
    note = (
        f"{HOSTS} hosts, {UPDATES_PER_S:g} updates a second in two frames, Chromium {version} without a gpu"
    )
    ours, peer = watched["ours"], watched["peer"]
    compared = {
        "p99_frame_ms": Compared.of(
            [each.p99_frame_ms for each in ours], [each.p99_frame_ms for each in peer]
        ),
        "p99_drawn_ms": Compared.of(
            [each.p99_drawn_ms for each in ours], [each.p99_drawn_ms for each in peer]
        ),
        "work_ms_per_s": Compared.of([each.busy_ms for each in ours], [each.busy_ms for each in peer]),
    }
    bounds = {
        "p99_frame_ms": ("ms", FRAME),
        "p99_drawn_ms": ("ms", DRAWN),
        "work_ms_per_s": ("ms of the page's thread a second", WORK),
    }
    return [
        row(
            f"B9.grid_{key}",
            compared[key],
            unit,
            limit,
            peer=TABLE,
            packages=("uvicorn", "websockets"),
            note=note,
        )
        for key, (unit, limit) in bounds.items()
    ]
