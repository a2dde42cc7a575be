"""B9: how evenly the live table of hosts is drawn, in the order of its figures, with 10,000 hosts of which 2,000 a
second report: all of them are put in order anew with every frame of the feed.

No peer: a plain table with a row of the document a host keeps its page too busy to be watched.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from bench.figures import Compared
from bench.map.chromium import Chromium
from bench.map.light import light_server
from bench.map.smoothness import HOSTS, ROUND_FAST_S, ROUND_S, SETTLE_FAST_S, SETTLE_S, UPDATES_PER_S, figures
from bench.registry import Settings
from bench.results import Row, row

PATH = "/hosts/?sort=-cpu"
READY = "document.querySelector('host-grid .live-grid:not([hidden]) .rows .row')"


async def run(settings: Settings) -> list[Row]:
    """Waits for processes throughout, so nothing else runs on its loop meanwhile."""
    return await asyncio.to_thread(_run, settings)


def _run(settings: Settings) -> list[Row]:
    seconds = settings.pick(ROUND_S, ROUND_FAST_S)
    settle = settings.pick(SETTLE_S, SETTLE_FAST_S)
    with light_server(HOSTS, UPDATES_PER_S, Path()) as url, Chromium() as browser:
        watched = [browser.watch(url + PATH, READY, settle, seconds) for _ in range(settings.rounds)]
        version = browser.version()
    note = (
        f"{HOSTS} hosts, {UPDATES_PER_S:g} updates a second in four frames, Chromium {version} without a gpu"
    )
    return [
        row(
            name,
            Compared.of([of(each) for each in watched]),
            unit,
            limit,
            packages=("uvicorn", "websockets"),
            note=note,
        )
        for name, unit, of, limit in figures("grid")
    ]
