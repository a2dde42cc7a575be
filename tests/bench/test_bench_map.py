"""What the map's benchmark stands on: its fleet, its server's doors, and its percentiles."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from bench.map.chromium import p99
from bench.map.fleet import Fleet
from bench.map.pages import MAP, render
from bench.map.server import MapServer
from console.live.frames import DELTA, FULL, Frames


@pytest.mark.parametrize(("count", "expected"), [(1, 0), (99, 98), (100, 98), (101, 99), (1000, 989)])
def test_p99_is_what_99_of_100_do_not_exceed(count: int, expected: int) -> None:
    """By rank, of samples in any order."""
    assert p99([float(each) for each in reversed(range(count))]) == expected


def test_p99_of_nothing_is_an_error() -> None:
    """A page that drew nothing is no fast page."""
    with pytest.raises(ValueError, match="none"):
        p99([])


def test_as_many_hosts_report_as_was_asked() -> None:
    """Each once, with figures in range; the frame that browsers get names just these."""
    fleet, frames = Fleet(300, 0.0), Frames()
    frames.tick(fleet.columns, 0.0)
    before = fleet.columns
    fleet.report(50, 1.0)
    raw = frames.tick(fleet.columns, 1.0)

    assert (fleet.columns.reported_at == 1.0).sum() == 50
    assert (fleet.columns.used != before.used).any(axis=1).sum() <= 50
    assert int(fleet.columns.used.max()) <= FULL
    assert (raw[1], int.from_bytes(raw[2:4], "little")) == (DELTA, 50)
    assert np.array_equal(before.used, Fleet(300, 0.0).columns.used)


def test_the_directory_names_every_host_with_its_labels() -> None:
    """As the console's own directory does."""
    told = json.loads(Fleet(5, 0.0).directory())

    assert [host["name"] for host in told["hosts"]] == [f"host-0000{number}" for number in range(5)]
    assert {"name", "address", "labels", "cores"} == set(told["hosts"][0])


async def ask(server: MapServer, path: str) -> tuple[int, bytes]:
    """One request: status and body."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await server({"type": "http", "path": path}, None, send)
    return sent[0]["status"], sent[1]["body"]


async def test_pages_and_scripts_are_served_and_nothing_else() -> None:
    """The map's own template and scripts; no path leads out of the folders."""
    server = MapServer(Fleet(3, 0.0), {"/": render("fleet/map.html", MAP, 3)})
    status, page = await ask(server, "/")

    assert status == 200
    assert b"<cluster-map" in page
    assert (await ask(server, "/static/js/cluster-map.js"))[0] == 200
    assert [(await ask(server, path))[0] for path in ("/static/../manage.py", "/static/", "/none")] == [
        404
    ] * 3
