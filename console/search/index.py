"""The shelves of this process, and when they are read again.

The first look is the web process's own, before anybody asks, and so is one now and then (keep_warm), so that little is
new at the next question. A palette asks at every key: it gets what is there, and a look at the database begins beside
it where the last one is older than FRESH_S. Who asks once (a page, a program) waits for that look. A look asks each
kind whether anything changed, which is one row, and reads only those that did.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Hashable

from django.db import connection

from console.live.threads import in_thread
from console.search.kinds import KINDS
from console.search.shelf import Shelf

log = logging.getLogger(__name__)

FRESH_S = 2.0
WARM_S = 30.0


class Index:
    """All kinds' shelves. Safe from any thread; a shelf is replaced whole and never changed."""

    def __init__(self) -> None:
        self._shelves: dict[str, Shelf] = {}
        self._marks: dict[str, Hashable] = {}
        self._looking = threading.Lock()
        self._looked_at = float("-inf")

    def __getitem__(self, kind: str) -> Shelf:
        return self._shelves[kind]

    @property
    def age_s(self) -> float:
        """Seconds since the last look."""
        return time.monotonic() - self._looked_at

    def refresh(self, *, wait: bool) -> None:
        """See to it that the index is fresh: now, if wait or if there is none yet, else beside the caller."""
        if wait or not self._shelves:
            with self._looking:
                if wait or not self._shelves:
                    self._look()
        elif self.age_s > FRESH_S and self._looking.acquire(blocking=False):
            threading.Thread(target=self._look_beside, name="search.look", daemon=True).start()

    async def keep_warm(self) -> None:
        """The web process's background work, until cancelled."""
        while True:
            await in_thread(self.refresh, wait=True)
            await asyncio.sleep(WARM_S)

    def _look(self) -> None:
        at = time.monotonic()
        shelves, marks = dict(self._shelves), dict(self._marks)
        for name, kind in KINDS.items():
            # The mark first: what comes between the two is read twice, never missed.
            mark = kind.mark()
            if name not in shelves:
                shelves[name], marks[name] = kind.shelf(), mark
            elif marks[name] != mark:
                shelves[name] = kind.shelf_after(shelves[name], marks[name], mark)
                marks[name] = mark
        self._shelves, self._marks, self._looked_at = shelves, marks, at

    def _look_beside(self) -> None:
        try:
            self._look()
        except Exception:
            log.exception("the search index could not be read; the next question tries again")
        finally:
            self._looking.release()
            connection.close()


index = Index()
