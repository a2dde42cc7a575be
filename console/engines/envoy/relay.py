"""The relay: beside each Envoy, between it and the control plane.

It starts its Envoy and keeps it running, configures it from what is on disk at once and from the control plane
when that is there, keeps on disk what Envoy accepted, and tells upwards what Envoy took, refused and counts.
Neither needs the other to live: a relay that ends without being told to end Envoy leaves it running, and the next
one takes it over; an Envoy that ends is started again with its last good configuration, whoever else is away.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

from console.engines.envoy import cache
from console.engines.envoy.accepted import Accepted
from console.engines.envoy.access_logs import AccessLogs
from console.engines.envoy.ads import AdsServer
from console.engines.envoy.delta import Answer, DeltaSession
from console.engines.envoy.doors import Door, Upstream
from console.engines.envoy.follower import Follower
from console.engines.envoy.process import EnvoyFailed, EnvoyProcess
from console.engines.envoy.reporter import Reporter

log = logging.getLogger(__name__)

FIRST_RESTART_S: Final = 0.1
LAST_RESTART_S: Final = 5.0
STEADY_S: Final = 30.0
#: After a change, how long others may follow before all are written; and how much is written a second at most.
WRITE_AFTER_S: Final = 0.5
WRITE_BYTES_PER_S: Final = 1024 * 1024


class Relay:
    """One Envoy's relay. folder: its own, with Envoy's files, its socket and the kept configuration."""

    def __init__(self, folder: Path, node: str, upstream: Upstream, *, concurrency: int = 1) -> None:
        self.node = node
        self._kept_path = folder / "accepted.cache"
        self.refused_cache = ""
        kept = self._read()
        self._accepted = Accepted(kept)
        # What Envoy has beyond a whole configuration may be taken away; beyond a partial one it may not.
        self._whole = kept is not None
        self._written = self._accepted.changes
        socket = folder / "xds.sock"
        self.envoy = EnvoyProcess(folder, node, socket, concurrency=concurrency)
        self._server = AdsServer((Door(f"unix:{socket}"),), heard=self._heard)
        self._logs = AccessLogs()
        self._follower = Follower(node, upstream, self._accepted, self._offer)
        self._reporter = Reporter(self, self._accepted, self._logs, self._follower)
        self.restarts = -1
        self.acked = self.refused = 0
        if kept is not None:
            self._offer()

    async def run(self, stopping: asyncio.Event, leaving: asyncio.Event) -> None:
        """Until stopping (Envoy ends too) or leaving (Envoy goes on) is set. OSError if its socket can't be had.

        What breaks in the relay itself is raised, and Envoy goes on: the next relay takes it over.
        """
        self._kept_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        await self._server.start(self._logs.add_to)
        works: list[Callable[[], Coroutine[Any, Any, None]]] = [
            self._keep_running,
            self._keep_on_disk,
            self._follower.run,
            self._reporter.run,
        ]
        tasks = [asyncio.create_task(work()) for work in works]
        ends = [asyncio.create_task(each.wait()) for each in (stopping, leaving)]
        failed: list[asyncio.Task[None]] = []
        try:
            await asyncio.wait([*tasks, *ends], return_when=asyncio.FIRST_COMPLETED)
            failed = [task for task in tasks if task.done()]
        finally:
            for task in (*tasks, *ends):
                task.cancel()
            await asyncio.gather(*tasks, *ends, return_exceptions=True)
            await self._server.stop()
            if not leaving.is_set() and not failed:
                await self.envoy.stop()
            self._write()
        for task in failed:
            task.result()  # raises what ended it: nothing of this ends by itself

    def settled_above(self) -> None:
        """The control plane says that this node has all that it shall have: from here on it may lose things."""
        if not self._whole:
            self._whole = True
            self._accepted.removed.clear()
            self._offer()

    def _offer(self) -> None:
        catalogue = self._accepted.wanted()
        self._server.offer(lambda _: catalogue, removes=None if self._whole else self._accepted.removed)
        self._answer()

    def _heard(self, _: str, session: DeltaSession, answer: Answer | None) -> None:
        """Envoy spoke."""
        if answer is not None:
            self.acked += 0 if answer.refused else len(answer.versions)
            self.refused += bool(answer.refused)
            self._accepted.answered(answer)
            if answer.refused:
                self._offer()
                return
        self._answer(session)

    def _answer(self, session: DeltaSession | None = None) -> None:
        for reply in self._accepted.replies(session or self._server.session(self.node)):
            self._follower.send(reply)

    async def _keep_running(self) -> None:
        pause = FIRST_RESTART_S
        while True:
            began = time.monotonic()
            try:
                await self.envoy.start(adopt=True)
                self.restarts += 1
                await self.envoy.wait()
                log.warning("envoy ended")
            except EnvoyFailed as error:
                log.error("envoy does not start: %s", error)  # noqa: TRY400 (it says what there is to say)
            if time.monotonic() - began > STEADY_S:
                pause = FIRST_RESTART_S
            await asyncio.sleep(pause)
            pause = min(pause * 2, LAST_RESTART_S)

    async def _keep_on_disk(self) -> None:
        while True:
            await asyncio.sleep(WRITE_AFTER_S)
            if self._accepted.changes != self._written:
                written = await asyncio.to_thread(self._write)
                await asyncio.sleep(written / WRITE_BYTES_PER_S)

    def _write(self) -> int:
        """Put what Envoy accepted on the disk, if it is not there. Returns the bytes written."""
        changes = self._accepted.changes
        if changes == self._written or not self._whole:
            return 0
        content = cache.encode(self.node, self._accepted.taken())
        try:
            cache.write(self._kept_path, content)
        except OSError as error:
            # Envoy goes on; what is at stake is its next start without a control plane.
            self.refused_cache = f"the accepted configuration could not be kept: {error}"
            log.error("%s", self.refused_cache)  # noqa: TRY400
            return 0
        self.refused_cache, self._written = "", changes
        return len(content)

    def _read(self) -> Any:
        try:
            return cache.read(self._kept_path, self.node)
        except cache.CacheRefused as error:
            self.refused_cache = f"the kept configuration was not used: {error}"
            log.error("%s: %s", self._kept_path, self.refused_cache)  # noqa: TRY400
            return None
