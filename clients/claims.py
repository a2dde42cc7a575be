"""A worker's line to the agent on its host: claims a job before its body runs, says how it ended.

One connection a process and thread: it is the lease of what was claimed on it. When this process dies the
kernel closes it, and the agent says "lost" at once.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import random
import re
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOCKET_VARIABLE = "STEELYARD_AGENT_SOCKET"
#: The agent takes lines of 48 KiB; the rest is room for ids, the error and the envelope.
MAX_RESULT_BYTES = 32 * 1024
MAX_ERROR_CHARACTERS = 2000
#: How long to keep asking while agent or control plane are away, before the message goes back to its queue.
PATIENCE_S = 3600.0
_TURN_S = 1.0
_RETRY_CAP_S = 5.0
_MAX_ANSWER_BYTES = 64 * 1024
#: Digits that may be a number which is too long for the agent.
_LONG = re.compile("[0-9]{19}")
_encode = json.JSONEncoder(ensure_ascii=False).encode
_encode_strictly = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


class AgentUnreachable(Exception):
    """No answer from the agent in all the time that was given."""


@dataclass(frozen=True)
class Answer:
    """What the control plane said, through the agent."""

    accepted: bool
    reason: str


class Claims:
    """Talks to the agent at `socket_path`. Threads and forks may share it: each has its own line."""

    def __init__(
        self,
        socket_path: str | Path,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = str(socket_path)
        self._patience_s = patience_s
        self._clock = clock
        self._local = threading.local()

    def claim(self, job: str, attempt: int, limits: Mapping[str, float] | None = None) -> Answer:
        """May the body run here, now? limits: what bounds it, by resource, where the agent may. Raises
        AgentUnreachable."""
        return self._ask({"job": job, "attempt": attempt, "event": "claim", "limits": dict(limits or {})})

    def succeeded(
        self, job: str, attempt: int, result: Any, used: Mapping[str, float] | None = None
    ) -> Answer:
        """The body returned. An answer that is not accepted means the attempt was given up meanwhile."""
        said = {"result": portable(result), "used": dict(used or {})}
        return self._ask({"job": job, "attempt": attempt, "event": "succeeded", **said})

    def report(self, job: str, attempt: int, share: float | None, note: str, lines: str) -> Answer:
        """How far the attempt is, and what it logged."""
        said = {"share": share, "note": note, "lines": lines}
        return self._ask({"job": job, "attempt": attempt, "event": "report", **said})

    def failed(self, job: str, attempt: int, error: str) -> Answer:
        """The body raised."""
        return self._ask(
            {"job": job, "attempt": attempt, "event": "failed", "error": error[:MAX_ERROR_CHARACTERS]}
        )

    @contextlib.contextmanager
    def held(self, job: str, attempt: int, limits: Mapping[str, float] | None = None) -> Iterator[None]:
        """While the block runs, tell an agent that was restarted of the claim, so that it renews it."""
        keeper = _Keeper(self._line(), lambda: self.claim(job, attempt, limits), self._line)
        try:
            yield
        finally:
            self._local.line = keeper.stop()

    def close(self) -> None:
        """Close this thread's line; what it holds counts as lost."""
        line = getattr(self._local, "line", None)
        if line is not None:
            line.close()
            self._local.line = None

    def _ask(self, event: dict[str, Any]) -> Answer:
        deadline = self._clock() + self._patience_s
        pause_s = 0.05
        while True:
            try:
                return self._line().ask(event, deadline, self._clock)
            except OSError as error:
                # The agent is away or was restarted. The question is safe to put twice.
                self.close()
                if self._clock() + pause_s >= deadline:
                    raise AgentUnreachable(f"{self._path}: {error}") from error
            # The agent may come back at any moment, and there is nobody to tell us.
            time.sleep(random.uniform(0.5, 1.0) * pause_s)
            pause_s = min(_RETRY_CAP_S, 2 * pause_s)

    def _line(self) -> _Line:
        line: _Line | None = getattr(self._local, "line", None)
        if line is not None and line.pid != os.getpid():
            # Inherited over a fork: the parent's lease, not ours. Closing our copy leaves the parent's open.
            line.close()
            line = None
        if line is None:
            line = self._local.line = _Line(self._path)
        return line


class _Line:
    """One connection, one question at a time."""

    def __init__(self, path: str) -> None:
        self.pid = os.getpid()
        self._ref = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        #: Of its file, while it is open.
        self.number = self._socket.fileno()
        try:
            self._socket.settimeout(_TURN_S)
            self._socket.connect(path)
        except BaseException:
            self._socket.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def ask(self, event: dict[str, Any], deadline: float, clock: Callable[[], float]) -> Answer:
        """Put one question and wait for its answer. Raises OSError when the line broke, AgentUnreachable."""
        self._ref += 1
        # Half a character, as a file's name may have, is one that the agent can't read.
        self._socket.sendall(_encode({"ref": self._ref, **event}).encode(errors="replace") + b"\n")
        data = bytearray()
        while not data.endswith(b"\n"):
            if clock() >= deadline:
                raise AgentUnreachable("no answer in the time that was given")
            try:
                chunk = self._socket.recv(4096)
            except TimeoutError:
                continue
            if not chunk or len(data) > _MAX_ANSWER_BYTES:
                raise ConnectionError("the agent closed the line")
            data += chunk
        said = json.loads(data)
        return Answer(bool(said["accepted"]), str(said.get("reason", "")))


class _Keeper:
    """Keeps one claim, on a line on which nothing is asked. When it breaks, claims again on a new one."""

    def __init__(self, line: _Line, claim: Callable[[], Answer], line_of_thread: Callable[[], _Line]) -> None:
        #: What holds the claim; None while and after none does.
        self.line: _Line | None = line
        #: The thread that claims again, from when its line broke until it is waited for.
        self.claiming: threading.Thread | None = None
        self._claim = claim
        self._line_of_thread = line_of_thread
        _watch.begin(self, line)

    def stop(self) -> _Line | None:
        """The line that holds the claim now; None when there is none.

        Waits for a claim that is being asked: to leave it unanswered would be to lose it, and whoever stops
        wants an answer from the same control plane next.
        """
        while (claiming := _watch.end(self)) is not None:
            claiming.join()
        return self.line

    def broke(self) -> None:
        """Begin to claim again, in a thread of its own: it may take long, and other lines broke as well."""
        self.claiming = threading.Thread(target=self._claim_again, name="claim", daemon=True)
        self.claiming.start()

    def _claim_again(self) -> None:
        # Nothing was asked, so all that the agent can have had to say is that it is gone.
        if self.line is not None:
            self.line.close()
            self.line = None
        try:
            accepted = self._claim().accepted
        except AgentUnreachable:
            return
        self.line = self._line_of_thread()
        # If not, the attempt was given up. Its end will be refused as well, and the worker hears it then.
        if accepted:
            _watch.begin(self, self.line)


class _Watch:
    """Sees which of this process's lines break while they hold claims: one thread, which sleeps until one does. A body
    that takes no time costs two calls of the kernel."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: By the number of the line's file.
        self._keepers: dict[int, _Keeper] = {}

    @functools.cached_property
    def _lines(self) -> select.epoll:
        """From the first claim on: only a worker has, and needs, this and the thread."""
        lines = select.epoll()
        threading.Thread(target=self._run, args=[lines], name="claims", daemon=True).start()
        return lines

    def begin(self, keeper: _Keeper, line: _Line) -> None:
        """Watch the line of a keeper."""
        with self._lock:
            self._keepers[line.number] = keeper
            self._lines.register(line.number, select.EPOLLIN)

    def end(self, keeper: _Keeper) -> threading.Thread | None:
        """Watch it no more. Where its line broke: the thread that claims again, to be waited for before this is asked
        again."""
        with self._lock:
            claiming, keeper.claiming = keeper.claiming, None
            line = keeper.line
            if claiming is None and line is not None and self._keepers.get(line.number) is keeper:
                self._drop(line.number)
            return claiming

    def _drop(self, number: int) -> _Keeper:
        self._lines.unregister(number)
        return self._keepers.pop(number)

    def _run(self, lines: select.epoll) -> None:
        while True:
            lines.poll(maxevents=1)
            with self._lock:
                # Looked at again while nobody changes anything: the number may be another line's by now.
                for number, _ in lines.poll(0):
                    self._drop(number).broke()


_watch = _Watch()


def _forget() -> None:
    """In a process that was forked: the thread, and the lines that it watches, are the parent's."""
    global _watch
    _watch = _Watch()


os.register_at_fork(after_in_child=_forget)


def portable(result: Any) -> Any:
    """A result as the control plane can keep it: plain JSON of bounded size, else a note of what it was."""
    try:
        text = _encode_strictly(result)
        size = len(text.encode())
        if _LONG.search(text):
            json.loads(text, parse_int=_carried)
    except (TypeError, ValueError, RecursionError):
        return {"omitted": f"a {type(result).__name__}, which is not JSON that can be carried"}
    if size > MAX_RESULT_BYTES:
        return {"omitted": f"{size} bytes, more than {MAX_RESULT_BYTES}"}
    return result


def _carried(digits: str) -> int:
    """Raises ValueError for a whole number of more than 64 bits."""
    number = int(digits)
    if not -(2**63) <= number < 2**64:
        raise ValueError(f"{digits} has more than 64 bits")
    return number
