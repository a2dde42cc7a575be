"""Processes by pid, without ever signalling a stranger.

A pid alone may have been given to another process meanwhile.
Two things protect against that: a pid with its start time names a process for good,
and a pidfd keeps naming the process it was opened for.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path


class StillRunning(RuntimeError):
    """Processes outlived SIGKILL for longer than we waited."""


def start_ticks(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; None if it is gone (a zombie counts as gone)."""
    try:
        # The name in parentheses may hold spaces and parentheses: count fields from the last one.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in ("Z", "X") else int(fields[19])


def is_same(pid: int, ticks: int) -> bool:
    """Whether pid is still the process that started at those ticks."""
    return start_ticks(pid) == ticks


def not_reused(processes: Iterable[tuple[int, int]]) -> set[int]:
    """The pids of (pid, start ticks), without those another process has been given since."""
    return {pid for pid, ticks in processes if start_ticks(pid) in (None, ticks)}


def with_descendants(roots: Iterable[int]) -> set[int]:
    """The living among the roots, what they started, and who is in a session one of them leads or led.

    The session finds the orphans of a root that has died. O(processes of the machine).
    """
    roots = set(roots)
    children: dict[int, list[int]] = {}
    in_session: list[int] = []
    living: set[int] = set()
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended while we looked
        if fields[0] not in ("Z", "X"):
            living.add(int(entry.name))
        children.setdefault(int(fields[1]), []).append(int(entry.name))
        if int(fields[3]) in roots:
            in_session.append(int(entry.name))
    found: set[int] = set()
    queue = [*roots, *in_session]
    while queue:
        pid = queue.pop()
        if pid not in found:
            found.add(pid)
            queue.extend(children.get(pid, ()))
    return found & living


def send_signal(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to each; one that has ended meanwhile is fine."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def kill_all(members: Callable[[], set[int]], timeout_s: float = 5.0) -> int:
    """SIGKILL what members() names and wait for its end, until members() is empty; returns how many were killed.

    members is asked again each round, since a process may have started another before it died.
    Blocks (a killed process is gone in about a millisecond).
    Raises StillRunning after timeout_s.
    """
    end_at = time.monotonic() + timeout_s
    killed: set[int] = set()
    while pids := members():
        if time.monotonic() > end_at:
            raise StillRunning(f"pids {sorted(pids)} outlived SIGKILL for {timeout_s:g} s")
        poller = select.poll()
        open_fds: list[int] = []
        try:
            for pid in pids:
                try:
                    fd = os.pidfd_open(pid)
                    open_fds.append(fd)
                    signal.pidfd_send_signal(fd, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                poller.register(fd, select.POLLIN)  # readable once the process has ended
                killed.add(pid)
            # One that ended wakes us; the rest is looked at in the next round.
            poller.poll(50)
        finally:
            for fd in open_fds:
                os.close(fd)
    return len(killed)
