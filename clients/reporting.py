"""What a running job says of itself: how far it is, and the lines that it logs.

Said about once a second by a thread of its own, which is only there once there is something to say. A report that
gets lost is lost; the last one goes before the job's end.
"""

from __future__ import annotations

import contextlib
import contextvars
import json
import logging
import threading
from collections.abc import Iterator

from clients.claims import AgentUnreachable, Claims

EVERY_S = 1.0
#: Of one report, as JSON; of more the end is kept. With its envelope it must fit a line of the agent's.
MOST_BYTES = 32 * 1024
MOST_NOTE = 200

_current: contextvars.ContextVar[Reporter | None] = contextvars.ContextVar("steelyard_reporter", default=None)


def progress(share: float, note: str = "") -> None:
    """Say how far the job that runs here is, from 0 to 1, and in a few words what it does. Outside of one: nothing."""
    if (reporter := _current.get()) is not None:
        reporter.far(share, note)


@contextlib.contextmanager
def reporting(claims: Claims, job: str, attempt: int) -> Iterator[None]:
    """While the block runs, progress() and what its thread logs are this attempt's."""
    reporter = Reporter(claims, job, attempt)
    token = _current.set(reporter)
    _records.begin(reporter)
    try:
        yield
    finally:
        _records.end()
        _current.reset(token)
        reporter.stop()


class _Records(logging.Handler):
    """Gives what bodies log to their reporters. One for all that run in this process, and only while any does: making
    a handler costs more than a body should that logs nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        self._changing = threading.Lock()
        #: By the body's own thread: others may run other jobs.
        self._reporters: dict[int | None, Reporter] = {}

    def begin(self, reporter: Reporter) -> None:
        with self._changing:
            self._reporters[threading.get_ident()] = reporter
            logging.getLogger().addHandler(self)

    def end(self) -> None:
        with self._changing:
            del self._reporters[threading.get_ident()]
            if not self._reporters:
                logging.getLogger().removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if (reporter := self._reporters.get(record.thread)) is not None:
            reporter.logged(self.format(record))


_records = _Records()


class Reporter:
    """Gathers what is to be said of one attempt, and says it."""

    def __init__(self, claims: Claims, job: str, attempt: int) -> None:
        self._claims, self._of = claims, (job, attempt)
        self._lock = threading.Lock()
        self._share: float | None = None
        self._note, self._lines = "", ""
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def logged(self, line: str) -> None:
        with self._lock:
            self._lines = (self._lines + line + "\n")[-MOST_BYTES:]
            self._begin()

    def far(self, share: float, note: str) -> None:
        with self._lock:
            # What is no number is nothing done yet; the line to the agent takes numbers alone.
            self._share, self._note = min(max(0.0, share), 1.0), note[:MOST_NOTE]
            self._begin()

    def stop(self) -> None:
        """Say what is left, and end."""
        if self._thread is not None:
            self._stopping.set()
            self._thread.join()

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="report", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stopping.wait(EVERY_S):
                self._say()
            self._say()
        except AgentUnreachable:
            return  # Nobody has been there for long; the job's end says so.
        finally:
            self._claims.close()

    def _say(self) -> None:
        with self._lock:
            share, note, lines = self._share, self._note, self._lines
            self._share, self._note, self._lines = None, "", ""
        if share is not None or lines:
            self._claims.report(*self._of, share, note, fitting(lines))


def fitting(lines: str) -> str:
    """The end of the lines that fits a report."""
    while len(json.dumps(lines)) > MOST_BYTES:
        lines = lines[(len(lines) + 1) // 2 :]
    return lines
