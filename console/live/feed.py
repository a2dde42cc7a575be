"""What a web process does all the time: refresh its picture, exchange ticks, deliver commands, feed browsers."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable

from django.utils import timezone

from console.fleet.models import Command
from console.live import bells
from console.live.bus import BELLS, TICKS, TRAFFIC, Bus
from console.live.frames import Frames, columns_of
from console.live.link import links
from console.live.picture import picture
from console.live.threads import hold_open, in_thread
from console.live.ticks import Tick, decode_tick, encode_tick
from console.policies.defaults import defaults

log = logging.getLogger(__name__)

#: What a host says waits this long at most for its pixels: a person who waits for something to change sees it at once.
TICK_S = 0.25
#: Frames that wait for a browser: two seconds of them.
QUEUED = 8
SWEEP_S = 1.0
PAUSE_S = 0.1
MOST_COMMANDS = 5000
MOST_CANCELS = 10
CANCEL_AGAIN_S = 0.5


class Feed:
    """The background tasks of one web process, and the fan-out to its browsers.

    Browsers subscribe with a short queue. One that is too slow for it loses what is in it, sees the gap in the
    sequence, and asks for a snapshot: never a backlog.
    """

    def __init__(self) -> None:
        self.bus = Bus()
        self.traffic: bytes = b"{}"  # the controller's last word on traffic, JSON
        self.traffic_at: float | None = None  # when it came, on this process's monotonic clock
        self._source = uuid.uuid4().hex
        self._seq = 0
        self._frames = Frames()
        self._directory: tuple[int, str] = (-1, "")
        self._subscribers: set[asyncio.Queue[bytes | str]] = set()
        self._look = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._let_go: Callable[[], None] = _nothing

    async def start(self) -> None:
        self._let_go = await in_thread(hold_open)
        await in_thread(picture.load)
        await in_thread(defaults.load)
        for work in (self._tick, self._sweep, self._listen):
            self._tasks.append(asyncio.create_task(forever(work), name=f"feed.{work.__name__}"))

    async def stop(self) -> None:
        await end(self._tasks)
        await self.bus.close()
        await in_thread(self._let_go)

    def subscribe(self) -> asyncio.Queue[bytes | str]:
        """A queue of frames; the first of them is a snapshot, which the later ones go on from."""
        queue: asyncio.Queue[bytes | str] = asyncio.Queue(maxsize=QUEUED)
        if not self._subscribers:
            self._next_frame()  # nobody looked: the last one is old
        self._subscribers.add(queue)
        self.resync(queue)
        return queue

    def resync(self, queue: asyncio.Queue[bytes | str]) -> None:
        """Go on from a snapshot; what waits in the queue is older than that."""
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(self._frames.snapshot(time.monotonic()))

    def directory(self) -> tuple[int, str]:
        """The directory of hosts as text for browsers, and its version; encoded once a version."""
        if self._directory[0] != picture.directory_version:
            made = picture.directory()
            version: int = made["version"]  # type: ignore[assignment]
            self._directory = version, json.dumps({"type": "directory", **made}, separators=(",", ":"))
        return self._directory

    def _next_frame(self) -> bytes:
        now = time.monotonic()
        return self._frames.tick(columns_of(picture, now), now)

    def unsubscribe(self, queue: asyncio.Queue[bytes | str]) -> None:
        self._subscribers.discard(queue)

    @property
    def is_watched(self) -> bool:
        """Whether any browser looks on."""
        return bool(self._subscribers)

    async def _tick(self) -> None:
        """Four times a second: tell the other processes what was reported here, and the browsers what is known."""
        while True:
            await asyncio.sleep(TICK_S)
            fresh, links.fresh = sorted(links.fresh), set()
            told_parts, links.told_parts = links.told_parts, set()
            # An empty one says that this process is there: the hosts' silence is theirs, not ours.
            await self.bus.publish(TICKS, self._encode(fresh, told_parts))
            if self._subscribers:
                self._fan_out(self._next_frame())

    def _encode(self, hosts: list[str], told_parts: Iterable[str] = ()) -> bytes:
        self._seq += 1
        parts = {host: known[0] for host in told_parts if (known := picture.parts(host))}
        quotas = {host: quota for host in hosts if (quota := picture.quota(host))}
        workers = {host: worker for host in hosts if (worker := picture.worker(host))}
        resources, used = picture.last_used(hosts)
        tick = Tick(self._source, self._seq, list(resources), hosts, used.tobytes(), parts, quotas, workers)
        return encode_tick(tick)

    def _fan_out(self, message: bytes | str) -> None:
        for queue in self._subscribers:
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
            queue.put_nowait(message)

    async def _sweep(self) -> None:
        """On a bell, and every second without one: the ledger, default policies, removed hosts, commands to deliver."""
        while True:
            try:
                async with asyncio.timeout(SWEEP_S):
                    await self._look.wait()
            except TimeoutError:
                pass  # no bell: look all the same
            self._look.clear()
            await in_thread(picture.load)
            await in_thread(defaults.load)
            await in_thread(picture.foresee, time.monotonic())
            known = set(picture.names())
            for host in links.names():
                if host not in known:
                    links.drop(host)
            if links.names():
                await links.deliver(await in_thread(_open_commands, links.names()))
            # A bell rings at every placement; one look answers all that rang meanwhile.
            await asyncio.sleep(PAUSE_S)

    async def _listen(self) -> None:
        async for channel, payload in self.bus.listen(BELLS, TICKS, TRAFFIC, on_connect=self._look.set):
            if channel == TICKS:
                self._take_tick(payload)
            elif channel == TRAFFIC:
                self.traffic, self.traffic_at = payload, time.monotonic()
            elif payload in (bells.HOSTS, bells.ROOM, bells.COMMANDS):
                self._look.set()

    def _take_tick(self, payload: bytes) -> None:
        tick = decode_tick(payload)
        if tick.source != self._source and picture.take_tick(tick, time.monotonic()):
            self._look.set()


def _open_commands(hosts: list[str]) -> list[Command]:
    return list(
        Command.objects.select_related("host").filter(
            state=Command.State.PENDING, host__name__in=hosts, expires_at__gt=timezone.now()
        )[:MOST_COMMANDS]
    )


async def forever(work: Callable[[], Awaitable[None]]) -> None:
    """Run a background task; a fault is logged and the task begins again, so one bad moment ends nothing for good."""
    while True:
        try:
            await work()
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except Exception:
            log.exception("background task failed; it starts again")
            await asyncio.sleep(1.0)


async def end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks until they have ended. Once is not always enough: Python 3.11's asyncio.wait_for, with which the
    broker's client sends, forgets a cancellation that comes at the moment when it is done."""
    left = set(tasks)
    for _ in range(MOST_CANCELS):
        for task in left:
            task.cancel()
        if left:
            _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_S)
    for task in left:
        log.error("%s does not end", task.get_name())


def _nothing() -> None:
    """What there is to let go before the start."""


feed: Feed | None = None


def current() -> Feed:
    """This process's feed. Raises RuntimeError outside a web process."""
    if feed is None:
        raise RuntimeError("this process serves no live feed")
    return feed


async def start() -> None:
    global feed
    feed = Feed()
    await feed.start()


async def stop() -> None:
    if feed is not None:
        await feed.stop()
