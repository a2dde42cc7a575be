"""The controller process: campaign for the lease; while leading, detect, steer, move, place what waits."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

from django.utils import timezone
from kombu.exceptions import OperationalError

from console.actions import SYSTEM
from console.alerts.evaluator import ALERTS_S, Evaluator
from console.celery import app
from console.controller.detector import Detector
from console.controller.lease import RENEW_S, Candidate, Fenced, fenced
from console.controller.traffic import Traffic
from console.controller.work import Queue, learn_needs, see_to_attempts
from console.demo.drive import DEMO_S, Driver
from console.fleet.actions.commands import expire_old_commands
from console.fleet.actions.ending import EndDrain, overdue
from console.fleet.actions.lifecycle import MarkFound, MarkLost
from console.fleet.models import Host
from console.history.record import keep, observe
from console.jobs.outbox import relay_outbox
from console.live import bells
from console.live.bus import BELLS, TICKS, TRAFFIC, Bus
from console.live.feed import end, forever
from console.live.picture import picture
from console.live.threads import in_thread
from console.live.ticks import decode_tick
from console.policies.defaults import defaults
from console.storage.automatic import look_at_pools
from console.storage.filling import sample_disks
from console.storage.sweep import sweep_shards
from console.traffic.view import TrafficSeen, encode_traffic

log = logging.getLogger(__name__)

STEER_S = 1.0
SWEEP_S = 1.0
PAUSE_S = 0.1
#: Somebody waits for a changed service; many bells in a row must still not take all of a core.
STEER_PAUSE_S = 0.03
HOUSE_S = 600.0
#: What tasks use is learned as often.
LEARN_S = 10.0
#: A moment of history is kept as often.
HISTORY_S = 10.0
#: Storage pools in automatic mode are looked at, and disks that are due sampled, as often.
POOLS_S = 30.0
#: A job waits for it at most: many ends in a row are answered together.
PLACE_PAUSE_S = 0.05
#: A message of a job waits for it at most.
RELAY_PAUSE_S = 0.01


class Controller:
    """One controller process, leader or standby."""

    def __init__(self) -> None:
        self._candidate = Candidate(f"{socket.gethostname()}:{os.getpid()}")
        self._detector = Detector(time.monotonic())
        self._bus = Bus()
        self._look = asyncio.Event()
        #: Room may have appeared, or a job that waits for some.
        self._room = asyncio.Event()
        #: Messages of jobs are owed.
        self._owed = asyncio.Event()
        self._rerender = asyncio.Event()
        self._isolated = False
        self._queue = Queue()
        self._met_broker = False
        self._broker_back_at: datetime | None = None
        self._traffic_seen: TrafficSeen | None = None

    async def run(self, stopping: asyncio.Event) -> None:
        """Until stopping is set: stand by or lead. Ends the process's leadership cleanly."""
        listening = asyncio.create_task(forever(self._listen))
        try:
            while not stopping.is_set():
                if await in_thread(self._candidate.campaign, time.monotonic()):
                    log.info("leading with epoch %d", self._candidate.epoch)
                    await self._lead(stopping)
                await _wait(stopping, RENEW_S)
        finally:
            await end([listening])
            await in_thread(self._candidate.resign)
            await self._bus.close()

    async def _lead(self, stopping: asyncio.Event) -> None:
        epoch = self._candidate.epoch
        # What was seen under an earlier leadership is the past.
        self._traffic_seen = None
        await in_thread(picture.load)
        await in_thread(defaults.load)
        traffic = await Traffic.lead(epoch)
        deposed = asyncio.Event()
        loops = [
            self._loop(self._campaign_on(deposed), RENEW_S, deposed),
            self._loop(self._steer_once(traffic), STEER_S, deposed, self._rerender, STEER_PAUSE_S),
            self._loop(self._sweep_once(epoch), SWEEP_S, deposed, self._look),
            self._loop(self._place_on(epoch), SWEEP_S, deposed, self._room, PLACE_PAUSE_S),
            self._loop(self._relay_on(epoch), SWEEP_S, deposed, self._owed, RELAY_PAUSE_S),
            self._loop(self._alert_once(Evaluator(picture, epoch)), ALERTS_S, deposed),
            self._loop(self._speak_for(Driver(picture, epoch)), DEMO_S, deposed),
            self._loop(self._keep_house, HOUSE_S, deposed),
            self._loop(self._learn_on(epoch), LEARN_S, deposed),
            self._loop(self._keep_history(epoch), HISTORY_S, deposed),
            self._loop(self._look_at_pools_once(epoch), POOLS_S, deposed),
        ]
        tasks = [asyncio.create_task(loop) for loop in loops]
        try:
            waits = [asyncio.create_task(event.wait()) for event in (stopping, deposed)]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await traffic.stop()
            log.info("no longer leading (epoch %d)", epoch)

    async def _loop(
        self,
        once: Callable[[], Awaitable[None]],
        every_s: float,
        deposed: asyncio.Event,
        bell: asyncio.Event | None = None,
        pause_s: float = PAUSE_S,
    ) -> None:
        """Do once() every so often, or at the bell. A fault is logged and does not end the loop; being fenced does."""
        while not deposed.is_set():
            started = time.monotonic()
            if bell is not None:
                bell.clear()
            try:
                await once()
            except Fenced:
                deposed.set()
                return
            except Exception:
                log.exception("%s failed; it goes on", getattr(once, "__name__", "loop"))
            # One round answers all the bells that rang during it and in the pause.
            await _wait(deposed, pause_s)
            await _wait(
                bell if bell is not None else deposed, max(every_s - (time.monotonic() - started), 0.0)
            )

    def _campaign_on(self, deposed: asyncio.Event) -> Callable[[], Awaitable[None]]:
        async def campaign() -> None:
            if not await in_thread(self._candidate.campaign, time.monotonic()):
                deposed.set()

        return campaign

    def _steer_once(self, traffic: Traffic) -> Callable[[], Awaitable[None]]:
        async def steer() -> None:
            if not self._candidate.leads(time.monotonic()):
                raise Fenced
            self._traffic_seen = await traffic.step()
            await self._bus.publish(TRAFFIC, encode_traffic(self._traffic_seen))

        return steer

    def _speak_for(self, driver: Driver) -> Callable[[], Awaitable[None]]:
        async def simulate() -> None:
            tick = await in_thread(driver.step, time.monotonic(), timezone.now())
            if tick is not None:
                await self._bus.publish(TICKS, tick)

        return simulate

    def _keep_history(self, epoch: int) -> Callable[[], Awaitable[None]]:
        def keep_history() -> None:
            # Summing up half an hour of a large cluster takes a while: nobody waits for the fence meanwhile.
            step = observe(picture, time.monotonic(), timezone.now())
            if step.pages:
                with fenced(epoch):
                    keep(step)

        async def keep_on() -> None:
            await in_thread(keep_history)

        return keep_on

    def _alert_once(self, evaluator: Evaluator) -> Callable[[], Awaitable[None]]:
        async def alert() -> None:
            if await in_thread(evaluator.step, time.monotonic(), timezone.now(), self._traffic_seen):
                await in_thread(_send, "steelyard.relay_notices")

        return alert

    def _sweep_once(self, epoch: int) -> Callable[[], Awaitable[None]]:
        async def sweep() -> None:
            await in_thread(self._sweep, epoch)

        return sweep

    def _sweep(self, epoch: int) -> None:
        """All that follows from the present state of the database, each step fenced by the epoch."""
        picture.load()
        defaults.load()
        for step in (
            self._detect, self._move, self._end_drains, self._see_to_attempts,
        ):  # fmt: skip
            try:
                step(epoch)
            except Fenced:
                raise
            except Exception:
                # A step that can't be done (by a defect, or by what one agent sent) must not stop the others.
                log.exception("%s failed; the sweep goes on", step.__name__)

    def _move(self, epoch: int) -> None:
        with fenced(epoch):
            expire_old_commands()
            moved = sweep_shards(epoch)
        if moved:
            bells.ring_commands()

    def _end_drains(self, epoch: int) -> None:
        for name in list(overdue().values_list("name", flat=True)):
            with fenced(epoch):
                EndDrain(name).run(SYSTEM)

    def _see_to_attempts(self, epoch: int) -> None:
        see_to_attempts(epoch, self._broker_back_at)

    def _place_on(self, epoch: int) -> Callable[[], Awaitable[None]]:
        async def place() -> None:
            if await in_thread(self._queue.place, epoch):
                self._owed.set()

        return place

    def _relay_on(self, epoch: int) -> Callable[[], Awaitable[None]]:
        async def relay() -> None:
            try:
                await in_thread(relay_outbox, functools.partial(fenced, epoch))
            except _broker_away() as error:
                log.warning("broker away, messages of jobs stay owed: %s", error)

        return relay

    def _learn_on(self, epoch: int) -> Callable[[], Awaitable[None]]:
        async def learn() -> None:
            await in_thread(learn_needs, epoch)

        return learn

    def _look_at_pools_once(self, epoch: int) -> Callable[[], Awaitable[None]]:
        async def look_at_pools_once() -> None:
            await in_thread(self._look_at_pools, epoch)

        return look_at_pools_once

    def _look_at_pools(self, epoch: int) -> None:
        now = timezone.now()
        with fenced(epoch):
            sample_disks(now)
        # Searching takes a while: nobody waits for the fence meanwhile.
        if look_at_pools(epoch, now):
            bells.ring_shards()

    def _detect(self, epoch: int) -> None:
        hosts = [(name, since is not None) for name, since in Host.objects.values_list("name", "lost_since")]
        now = time.monotonic()
        hearing = self._bus.connected and self._detector.hears(now)
        verdict = self._detector.judge(hosts, now, hearing=hearing)
        if verdict.isolated != self._isolated:
            self._isolated = verdict.isolated
            log.warning(
                "broker or web are away, or many hosts fell silent at once: nobody is declared lost"
                if verdict.isolated
                else "the hosts are heard again"
            )
        for name in verdict.lost:
            with fenced(epoch):
                MarkLost(name, reason="its agent has gone silent").run(SYSTEM)
        for name in verdict.found:
            with fenced(epoch):
                MarkFound(name).run(SYSTEM)

    async def _keep_house(self) -> None:
        await in_thread(_send, "steelyard.keep_house")

    async def _listen(self) -> None:
        async for channel, payload in self._bus.listen(TICKS, BELLS, on_connect=self._broker_found):
            if channel == BELLS:
                self._hear(payload)
                continue
            now = time.monotonic()
            tick = decode_tick(payload)
            self._detector.spoke(now)
            for host in tick.hosts:
                self._detector.heard(host, now)
            if picture.take_tick(tick, now):
                self._look.set()

    def _hear(self, bell: bytes) -> None:
        if bell in (bells.JOBS, bells.HOSTS):
            self._room.set()
        if bell == bells.JOBS:
            # Whoever would have rung meanwhile has not.
            asyncio.get_running_loop().call_later(bells.JOBS_QUIET_S, self._room.set)
        if bell == bells.OWED:
            self._owed.set()
        # Jobs and placements come and go many times a second: the sweep of everything is not for them.
        if bell not in (bells.JOBS, bells.OWED, bells.ROOM):
            self._look.set()
        if bell in (bells.SERVICES, bells.HOSTS):
            self._rerender.set()

    def _broker_found(self) -> None:
        """The broker is there, or there again: then the messages that it held may be gone."""
        if self._met_broker:
            self._broker_back_at = timezone.now()
        self._met_broker = True
        self._detector.hears_again(time.monotonic())
        self._look.set()


def _send(task: str) -> None:
    """Ring for the worker; without a broker there is nobody to hear it, and the next sweep rings again."""
    try:
        app.send_task(task, expires=30, retry=False)
    except _broker_away() as error:
        log.warning("broker away, worker not called: %s", error)


def _broker_away() -> tuple[type[Exception], ...]:
    """What sending raises then."""
    return OSError, OperationalError, *app.connection_for_write().connection_errors


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Until the event, at most so long."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


async def main() -> None:
    """Run until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await Controller().run(stopping)
