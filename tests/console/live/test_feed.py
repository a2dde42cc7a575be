"""Between processes and to browsers: ticks over the real broker, frames, sessions that end."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from console.accounts.second_factor import PROVEN
from console.live import bus, consumers, feed
from console.live.bus import BELLS, TICKS, Bus
from console.live.frames import BARS, HEADER, MAGIC, SNAPSHOT, STATE_BITS, columns_of, encode_snapshot
from console.live.picture import Picture, picture
from console.live.threads import in_thread
from console.live.ticks import Tick, decode_tick, encode_tick


async def test_what_one_process_heard_another_knows(cluster: Any) -> None:
    """A tick of the hosts that reported goes over the broker into another process's picture."""
    from console.live.link import links

    await in_thread(cluster.add, "web-1", used={"cpu": 2.0})
    other = Picture()
    await in_thread(other.load)
    assert other.age_s("web-1") is None
    sender, receiver = feed.Feed(), Bus()
    heard = receiver.listen(TICKS, BELLS)
    listening = asyncio.ensure_future(anext(heard))
    async with asyncio.timeout(10):
        while not receiver.connected:
            await asyncio.sleep(0.01)
        await sender.start()
        links.fresh.add("web-1")
        channel, payload = await listening
        while channel != TICKS:
            channel, payload = await anext(heard)
    await sender.stop()
    await heard.aclose()
    await receiver.close()

    assert other.take_tick(decode_tick(payload), time.monotonic()) == 0
    assert other.used("web-1")["cpu"] == 2.0


async def test_a_tick_that_does_not_fit_costs_only_its_row(cluster: Any) -> None:
    """An unknown host and an impossible figure are left out; the rest of the tick counts."""
    await in_thread(cluster.add, "web-1")
    import numpy as np

    used = np.array([[1.0], [1e9], [3.0]], np.float32).tobytes()
    await in_thread(cluster.add, "web-2")

    refused = picture.take_tick(Tick("other", 1, ["cpu"], ["gone", "web-1", "web-2"], used), time.monotonic())

    assert refused == 2
    assert (picture.used("web-1")["cpu"], picture.used("web-2")["cpu"]) == (0.0, 3.0)


async def test_its_own_ticks_and_garbage_do_not_end_the_listening(cluster: Any) -> None:
    """A message that can't be read is skipped over; the feed goes on."""
    await in_thread(cluster.add, "web-1")
    running = feed.Feed()
    await running.start()
    publisher = Bus()
    import numpy as np

    tick = Tick("other", 1, ["cpu"], ["web-1"], np.array([[4.0]], np.float32).tobytes())
    try:
        async with asyncio.timeout(15):
            await publisher.publish(TICKS, b"garbage")
            while picture.used("web-1").get("cpu") != 4.0:
                await publisher.publish(TICKS, encode_tick(tick))
                await asyncio.sleep(0.05)
    finally:
        await running.stop()
        await publisher.close()
    assert picture.used("web-1")["cpu"] == 4.0


def test_a_frame_can_be_read_by_its_layout(cluster: Any) -> None:
    """Header, four bars of used and of reserved, state and age: ten bytes a host, in the directory's
    order."""
    cluster.add("web-1", used={"cpu": 4.0, "memory": 4 * 2.0**30, "net_in": 0.0, "net_out": 125 * 2.0**20})
    cluster.add("web-2")
    from console.actions import SYSTEM
    from console.fleet.actions.lifecycle import Cordon

    Cordon("web-2").run(SYSTEM)
    picture.load()

    now = time.monotonic()
    raw = encode_snapshot(columns_of(picture, now), 7, now)

    magic, kind, rows, seq, directory, hosts = HEADER.unpack_from(raw)
    assert (MAGIC, SNAPSHOT, 0, 7) == (magic, kind, rows, seq)
    assert (picture.directory()["version"], 2) == (directory, hosts)
    body = raw[HEADER.size :]
    assert 10 * hosts == len(body)
    used = dict(zip(BARS, body[:4], strict=True))
    assert used == {"cpu": 125, "memory": 62, "disk": 0, "net": 250}
    assert [0, STATE_BITS["cordoned"]] == list(body[16:18])
    assert all(age <= 2 for age in body[18:20])
    assert [host["name"] for host in picture.directory()["hosts"]] == ["web-1", "web-2"]


@pytest.fixture
def cookie(cluster: Any, user: Any) -> tuple[bytes, bytes]:
    """The session of a viewer, as a browser sends it."""
    client = Client()
    client.force_login(user("viewer"))
    return b"cookie", f"sessionid={client.cookies['sessionid'].value}".encode()


class Browser(ApplicationCommunicator):
    """A browser's end of /ws/live/. (Channels' own needs a server that is not installed.)"""

    def __init__(self, *headers: tuple[bytes, bytes]) -> None:
        from console.asgi import application

        common = [(b"host", b"localhost"), (b"origin", b"http://localhost")]
        scope = {
            "type": "websocket", "path": "/ws/live/", "headers": [*common, *headers], "query_string": b"",
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "subprotocols": [],
        }  # fmt: skip
        super().__init__(application, scope)

    async def connect(self) -> tuple[bool, int | None]:
        """Whether it was accepted, else the code of its close."""
        await self.send_input({"type": "websocket.connect"})
        answer = await self.receive_output(5)
        return answer["type"] == "websocket.accept", answer.get("code")

    async def hear(self) -> Any:
        """The next message's text or bytes."""
        answer = await self.receive_output(5)
        return answer.get("text") or answer["bytes"]

    async def end(self) -> int:
        """The code of the close, after whatever is still on its way."""
        while (answer := await self.receive_output(5))["type"] != "websocket.close":
            assert answer["type"] == "websocket.send"
        await self.send_input({"type": "websocket.disconnect", "code": answer["code"]})
        await self.wait(5)
        return int(answer["code"])


async def test_a_stranger_sees_nothing(cluster: Any) -> None:
    """Closed before it is opened, with 4401."""
    assert await Browser().connect() == (False, 4401)


async def test_who_lacks_the_demanded_second_factor_sees_nothing(
    cluster: Any, cookie: tuple[bytes, bytes], settings: Any
) -> None:
    """A session without one is closed before it is opened, with 4401, as on the pages; with one it is opened."""
    settings.STEELYARD_SECOND_FACTOR = "viewer"
    feed.feed = feed.Feed()
    assert await Browser(cookie).connect() == (False, 4401)
    await in_thread(_prove)
    browser = Browser(cookie)
    assert await browser.connect() == (True, None)
    await browser.send_input({"type": "websocket.disconnect", "code": 1000})
    await browser.wait(5)


def _prove() -> None:
    """The session's owner gave a second factor."""
    store = SessionStore(Session.objects.get().session_key)
    store[PROVEN] = _users().get().pk
    store.save()


ENDS = {
    "logged out": lambda: Session.objects.all().delete(),
    "run out": lambda: Session.objects.update(expire_date=timezone.now()),
    "a new password": lambda: _change_password(),
    "a second factor that was reset": lambda: _users().update(sessions_ended=1),
    "disabled": lambda: _users().update(is_active=False),
    "deleted": lambda: _users().delete(),
}


def _users() -> Any:
    from console.accounts.models import User

    return User.objects.filter(username="a-viewer")


def _change_password() -> None:
    user = _users().get()
    user.set_password("another one that is long")
    user.save()


@pytest.mark.parametrize("end", ENDS)
async def test_a_browser_sees_the_hosts_until_its_session_ends(
    cluster: Any, cookie: tuple[bytes, bytes], end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory, then frames; and 4401 when the session is gone, whichever way it went."""
    monkeypatch.setattr(consumers, "CHECK_SESSION_S", 0.0)
    await in_thread(cluster.add, "web-1")
    feed.feed = running = feed.Feed()
    browser = Browser(cookie)
    assert await browser.connect() == (True, None)
    assert [host["name"] for host in json.loads(await browser.hear())["hosts"]] == ["web-1"]
    assert (await browser.hear())[:2] == bytes((MAGIC, SNAPSHOT))
    running._fan_out(running._next_frame())
    assert (await browser.hear())[0] == MAGIC

    await in_thread(ENDS[end])
    running._fan_out(running._next_frame())

    assert await browser.end() == 4401


async def test_a_browser_that_talks_is_closed(cluster: Any, cookie: tuple[bytes, bytes]) -> None:
    """Nothing is expected from it."""
    feed.feed = feed.Feed()
    browser = Browser(cookie)
    await browser.connect()
    await browser.send_input({"type": "websocket.receive", "text": "hello"})

    assert await browser.end() == 4400


async def test_a_browser_that_missed_a_frame_gets_a_snapshot(
    cluster: Any, cookie: tuple[bytes, bytes]
) -> None:
    """It asks, and what comes next is all hosts; asking again at once is not answered, and closes nothing."""
    await in_thread(cluster.add, "web-1")
    feed.feed = running = feed.Feed()
    browser = Browser(cookie)
    await browser.connect()
    first = [await browser.hear() for _ in range(2)][1]
    running._next_frame()
    for _ in range(2):
        await browser.send_input({"type": "websocket.receive", "text": "snapshot"})
    again = await browser.hear()

    assert (first[1], again[1]) == (SNAPSHOT, SNAPSHOT)
    assert HEADER.unpack_from(again)[3] == HEADER.unpack_from(first)[3] + 1
    assert await browser.receive_nothing()


def test_a_slow_browser_loses_what_waits(cluster: Any) -> None:
    """Never a backlog: its queue is emptied, and the gap in the sequence tells it to ask."""
    running = feed.Feed()
    queue = running.subscribe()
    for number in range(feed.QUEUED):
        running._fan_out(bytes([number]))

    assert (queue.get_nowait(), queue.empty()) == (bytes([feed.QUEUED - 1]), True)


def test_a_broker_that_is_away_costs_no_request_its_time(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """Ringing returns False at once, and does not ask again for a while."""
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(bus, "_client", None)
    monkeypatch.setattr(bus, "_deaf_until", 0.0)
    began = time.monotonic()

    assert [bus.ring(BELLS, b"hosts") for _ in range(20)] == [False] * 20

    assert time.monotonic() - began < 1.0
