"""B9: how long the search takes to answer while somebody types, over REST, at 10,000 hosts and what they leave behind.

Each text is typed letter by letter, and each beginning of it asked as the palette asks. In between something new is
recorded, so that the index is read again beside the answers, as it is on a console where something happens.
"""

from __future__ import annotations

import asyncio
import time
from urllib.parse import quote, urlsplit

from bench.closed_loop import Unexpected, get
from bench.crowd import crowd, name_of
from bench.figures import Compared
from bench.load.client import Connection
from bench.load.summary import percentile
from bench.plane import ControlPlane
from bench.registry import Settings
from bench.results import Limit, Row, row
from clients.rest import Steelyard

HOSTS, HOSTS_FAST = 10_000, 500
#: Names, addresses, labels, several words, actions, what is nearly right, and what is not there.
TEXTS = (
    name_of(4711), "zone=north rack=r99", "10.0.18.103", "nightly_report", "pool-0012", "drain web-04", "host.join db",
    "wbe-04000", "w40", "certificates", "new service", "nothing like that",
)  # fmt: skip
LIMIT = Limit("an answer that feels immediate: below 50 ms", most=50.0)


async def run(settings: Settings) -> list[Row]:
    hosts = settings.pick(HOSTS, HOSTS_FAST)
    plane = ControlPlane()
    settings.say(f"  writing {hosts} hosts")
    await crowd(plane, hosts)
    async with plane:
        await _type(plane, TEXTS[:2])  # the first question reads the index
        rounds = [await _round(plane, number) for number in range(settings.rounds)]
    samples = [percentile(sorted(each), 99) * 1000 for each in rounds]
    note = (
        f"{hosts} hosts that do not report, {3 * hosts} held placements with their decisions, {5 * hosts} events, "
        f"{hosts // 25} services; {len(rounds[0])} questions a round, one after the other, on a kept-alive connection"
    )
    packages = ("django", "djangorestframework", "django-rest-knox", "uvicorn")
    return [row("B9.search_ms", Compared.of(samples), "ms", LIMIT, packages=packages, note=note)]


async def _round(plane: ControlPlane, number: int) -> list[float]:
    """Seconds of each answer."""
    seconds = []
    for place, text in enumerate(TEXTS):
        await asyncio.to_thread(_happen, plane, f"{number}-{place}")
        seconds += await _type(plane, (text,))
    return seconds


def _happen(plane: ControlPlane, name: str) -> None:
    """A placement, its decision and its event are new."""
    with Steelyard(plane.url, plane.token) as client:
        client.place({"kind": "job", "name": f"bench-{name}", "demand": {}, "pin_hosts": [name_of(0)]})


async def _type(plane: ControlPlane, texts: tuple[str, ...]) -> list[float]:
    parts = urlsplit(plane.url)
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, str(parts.hostname), int(parts.port or 80))
    seconds = []
    try:
        for typed in (text[:length] for text in texts for length in range(1, len(text) + 1)):
            request = get(plane.url, f"/api/v1/search/?q={quote(typed)}&typing=true", plane.token)
            began = time.perf_counter()
            answer = await connection.ask(request)
            seconds.append(time.perf_counter() - began)
            if answer.status != 200:
                raise Unexpected(f"the search answered {answer.status} to {typed!r}")
    finally:
        connection.close()
    return seconds
