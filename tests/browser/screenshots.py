"""`python -m tests.browser.screenshots [NAME ...]`: the pictures of docs/console.md, taken of the running demo.

The pages that show traffic, jobs and shards are taken of `make demo`, those of many hosts of the demo fleet.
"""

from __future__ import annotations

import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from clients.rest import Steelyard
from console.place import Place
from tests.browser.browser_rig import Browser
from tests.browser.stack_rig import WHO, Stack, read_until

FOLDER = Path(__file__).resolve().parents[2] / "docs/screenshots"
#: What the demo runs before its pages are worth a look: jobs ended, shards copied, weights learnt, some past kept.
DEMO_S, FLEET_S = 75.0, 45.0
PHONE = (390, 844)


@dataclass(frozen=True)
class Shot:
    """One picture. path: of the page, or what finds it. doing: what is done there first. ready: what to wait for."""

    name: str
    path: str | Callable[[Steelyard], str]
    ready: str = "true"
    doing: str = ""
    dark: bool = False
    size: tuple[int, int] = (1440, 900)


def _decision(client: Steelyard) -> str:
    found = client.get("decisions/", kind="job", outcome="placed")["results"]
    return f"/decisions/{found[0]['id']}/"


def _moment(client: Steelyard) -> str:
    """The map as it was half a minute before."""
    return f"/?t={datetime.now(UTC) - timedelta(seconds=30):%Y-%m-%dT%H:%M:%SZ}"


def _queue(client: Steelyard) -> str:
    """With more jobs of two tenants than there is room for."""
    client.put("tenants/studio/", {"weight": 2, "quota": {"cpu": 0.6}})
    for tenant in (
        "studio",
        "shop",
        "studio",
        "shop",
        "studio",
        "studio",
        "shop",
        "shop",
        "studio",
        "shop",
        "shop",
    ):
        client.create_job(
            {"task": "demo.burn", "args": [20_000], "demand": {"cpu": 0.15}, "tenant": tenant, "labels": {}}
        )
    return "/jobs/queue/"


def _rebalance(client: Steelyard) -> str:
    """A proposal for shards that others keep and that grew unevenly, beside what other aims come to."""
    client.put("storage-pools/archive/", {"mover": "none", "parity": 0})
    names = [f"archive-{number:02}" for number in range(40)]
    for name in names:
        client.create_shard({"name": name, "bytes": 2**28, "source_host": "demo-1", "pool": "archive"})
    copies: list[str] = []
    for _ in range(60):
        found = client.get("shards/", limit=1000)["results"]
        copies = [copy["state"] for shard in found for copy in shard["replicas"]]
        if set(copies) == {"ready"}:
            break
        time.sleep(0.5)
    for number, name in enumerate(names):
        grown = {"bytes": (1 + number % 7) * 2**28, "read_bytes_s": 1e5 * 1.6 ** (number % 11)}
        client.patch(f"shards/{name}/", grown)
    return f"/rebalances/{client.post('rebalances/', {'even': 1.1, 'pool': 'archive'})['id']}/"


def _draining(client: Steelyard) -> str:
    client.drain("demo-5")
    return "/underway/"


CHOOSE = "[...document.querySelectorAll('[name=on]')].slice(0, 3).forEach((box) => box.click())"
PALETTE = """
    document.dispatchEvent(new KeyboardEvent('keydown', { key: 'k', ctrlKey: true, bubbles: true }));
    const box = document.querySelector('#palette [role=combobox]');
    box.value = 'sim-01';
    box.dispatchEvent(new InputEvent('input', { bubbles: true }));
"""
HELP = "document.body.dispatchEvent(new KeyboardEvent('keydown', { key: '?', bubbles: true }))"

#: Of a console that nobody has used, of the demo with its traffic, of the fleet; as they stand in docs/console.md.
EMPTY: Sequence[Shot] = (Shot("first-use", "/"), Shot("empty", "/shards/"))
DEMO: Sequence[Shot] = (
    Shot("chain", "/chain/"),
    Shot("chain-dark", "/chain/", dark=True),
    Shot("host", "/hosts/demo-1/", "document.querySelectorAll('host-charts .uplot canvas').length === 4"),
    Shot("past", "/hosts/demo-1/past/"),
    Shot("service", "/services/web/"),
    Shot("weights", "/services/web/weights/"),
    Shot("endpoints", "/endpoints/"),
    Shot("decision", _decision),
    Shot("bulk", "/jobs/", "document.querySelectorAll('[name=on]:checked').length === 3", CHOOSE),
    Shot("queue", _queue),
    Shot("workers", "/jobs/workers/"),
    Shot("drain", "/hosts/demo-2/", "document.querySelector('drain-preview')?.textContent.includes('whole plan')",
         "document.querySelector('[data-opens=confirm-drain]').click()"),
    Shot("events", "/events/"),
    Shot("policies", "/settings/policies/"),
    Shot("roles", "/settings/"),
    Shot("tables", "/tables/"),
    Shot("rebalance", _rebalance),
    Shot("pools", "/storage-pools/default/"),
    Shot("api", "/api/"),
    Shot("add-host", "/hosts/add/"),
    Shot("underway", _draining),
)  # fmt: skip
FLEET: Sequence[Shot] = (
    Shot("map", "/?group=rack&colour=worst"),
    Shot("map-dark", "/?group=rack&colour=worst", dark=True),
    Shot("hosts", "/hosts/?sort=-cpu"),
    Shot("time", _moment),
    Shot("plan", "/plans/?drain=sim-002&times=1.2"),
    Shot("alerts", "/alerts/"),
    Shot("palette", "/", "document.querySelectorAll('#palette [role=option]').length > 3", PALETTE),
    Shot("keys", "/", "document.getElementById('keys').open", HELP),
    Shot("phone", "/alerts/", size=PHONE),
)  # fmt: skip


def take(browser: Browser, url: str, client: Steelyard, shot: Shot) -> None:
    """Into docs/screenshots. Raises TimeoutException where the page never comes to what is waited for."""
    path = shot.path if isinstance(shot.path, str) else shot.path(client)
    browser.scheme("dark" if shot.dark else "light")
    browser.size(*shot.size)
    browser.driver.get(url + path)
    browser.wait(
        lambda: not browser.text("live-indicator").startswith("Not live"), f"the feed for {shot.name}"
    )
    if shot.doing:
        browser.script(shot.doing)
    browser.wait(lambda: browser.script(f"return Boolean({shot.ready})"), f"{shot.name}: {shot.ready}")
    time.sleep(2)  # values ease in, and a second of the feed is drawn
    browser.driver.save_screenshot(str(FOLDER / f"{shot.name}.png"))


@contextmanager
def demo(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """`make demo`: its address, its one-time link, and where its data are."""
    stack = Stack(folder)
    process = stack.spawn(["-m", "bench.demo", "--data", str(folder)], program="python")
    try:
        said = read_until(process, "Service web", 180)
        yield find(r"Console: (\S+)/", said), find(r"link\): (\S+)", said), folder / "control"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


@contextmanager
def empty(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """A console that nobody has used: the same three."""
    stack = Stack(folder)
    try:
        stack.start()
        yield stack.url, stack.setup, folder / "data"
    finally:
        stack.stop()


@contextmanager
def fleet(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """The demo fleet in a console of its own: the same three."""
    with empty(folder) as (url, link, data):
        with Steelyard(url, Place(data).cli_token.read_text().strip()) as client:
            client.post("demo/")
        yield url, link, data


def find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise ValueError(f"no {pattern!r} in {text!r}")
    return found[1]


def main(names: Sequence[str]) -> None:
    """Take the named ones, or all."""
    for scene, wait_s, shots in ((empty, 0.0, EMPTY), (demo, DEMO_S, DEMO), (fleet, FLEET_S, FLEET)):
        wanted = [shot for shot in shots if not names or shot.name in names]
        if not wanted:
            continue
        with tempfile.TemporaryDirectory(prefix="steelyard-pictures-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            with scene(folder) as (url, link, data):
                time.sleep(wait_s)
                token = Place(data).cli_token.read_text().strip()
                with Steelyard(url, token) as client, closing(Browser(folder / "chromium")) as browser:
                    browser.become_administrator(link, WHO)
                    for shot in wanted:
                        print(shot.name, flush=True)
                        take(browser, url, client, shot)


if __name__ == "__main__":
    main(sys.argv[1:])
