"""Stands between the agent and the process of one run, so that the run outlives a restart of the agent.

    python shim.py FOLDER

Standard library only, one thread. In FOLDER, which is the agent's: run.json (what to run), control (a FIFO that the
agent writes to; `stop` ends the run). Written here, each in one step: pid, output (how many bytes came so far, and
the last of them), end.json (how it ended; then this process ends).

Rules:
1. All that the run leaves behind is its descendants: this process adopts orphans, so none can get away from it.
2. When the run's own process has ended, or is to end, all of them are killed.
3. An agent that is not heard of for silent_s has died or was stopped, and nobody renews the run's lease: the run is
   ended before the control plane may give it to another host.
"""

from __future__ import annotations

import contextlib
import ctypes
import grp
import json
import os
import pwd
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

#: Between asking processes to end and killing them.
GRACE_S = 5.0
WRITE_S = 1.0
#: Of one pipe in one turn: who writes without end must not keep the others waiting.
_READS = 16
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_prctl = ctypes.CDLL(None, use_errno=True).prctl


class Shim:
    """One run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._run: dict[str, Any] = json.loads((folder / "run.json").read_text())
        self._pipes: dict[int, str] = {}
        self._came = {"log": 0, "result": 0}
        self._tails = {"log": b"", "result": b""}
        self._unwritten = False
        self._status: int | None = None
        self._usage = {"cpu_s": 0.0, "memory": 0.0}
        self._why = "exited"

    def main(self) -> None:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        write(self._folder / "pid", str(os.getpid()).encode())
        self._control = os.open(self._folder / "control", os.O_RDWR | os.O_NONBLOCK)
        woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._woken = woken
        self._began = time.monotonic()
        try:
            self._child = self._start()
        except (OSError, KeyError, subprocess.SubprocessError) as error:
            self._end(f"it can't be started: {error}")
            return
        self._watch()
        self._kill_all(signal.SIGKILL)
        # Nobody writes any more: what is left fits the pipes.
        self._read()
        self._write_output()
        self._end("")

    def _start(self) -> subprocess.Popen[bytes]:
        run = self._run
        become = _identity(run["user"])
        groups = [f"{group}/cgroup.procs" for group in run["groups"]]

        def prepare() -> None:
            # In the child, before the program: nothing of the run was ever outside of its limits.
            for procs in groups:
                descriptor = os.open(procs, os.O_WRONLY)
                os.write(descriptor, b"0")
                os.close(descriptor)
            if become is not None:
                user, group, others = become
                os.setgroups(others)
                os.setresgid(group, group, group)
                os.setresuid(user, user, user)
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

        none, kept = subprocess.DEVNULL, subprocess.PIPE
        stdout = none if run["output"] == "none" else kept
        stderr = {"none": none, "log": subprocess.STDOUT, "result": kept}[run["output"]]
        child = subprocess.Popen(
            run["argv"], env=run["environment"], cwd="/", stdin=none, stdout=stdout, stderr=stderr,
            preexec_fn=prepare, start_new_session=True,
        )  # fmt: skip
        for stream, kind in (
            (child.stdout, "result" if run["output"] == "result" else "log"),
            (child.stderr, "log"),
        ):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
                self._pipes[stream.fileno()] = kind
        return child

    def _watch(self) -> None:
        """Until the run's own process has ended; ends it where that is asked for, or is due."""
        heard = written = time.monotonic()
        due = self._began + self._run["timeout_s"]
        ending = 0.0
        while self._status is None:
            ready, _, _ = select.select([self._control, self._woken, *self._pipes], [], [], WRITE_S)
            now = time.monotonic()
            if self._control in ready:
                heard = now
                if self._run["stop"].encode() in os.read(self._control, 4096):
                    self._why = "stopped"
            if self._woken in ready:
                os.read(self._woken, 4096)
            self._read()
            self._reap()
            if now - written >= WRITE_S:
                written = now
                self._write_output()
            if now >= due:
                self._why = "timeout" if self._why == "exited" else self._why
            if now - heard > self._run["silent_s"]:
                self._why = "silent"
                self._kill_all(signal.SIGKILL)
            elif self._why != "exited" and not ending:
                ending = now + GRACE_S
                self._signal_all(signal.SIGTERM)
            elif ending and now >= ending:
                self._kill_all(signal.SIGKILL)

    def _read(self) -> None:
        for descriptor, kind in list(self._pipes.items()):
            for _ in range(_READS):
                try:
                    some = os.read(descriptor, 65536)
                except BlockingIOError:
                    break
                if not some:
                    del self._pipes[descriptor]
                    break
                self._came[kind] += len(some)
                self._tails[kind] = (self._tails[kind] + some)[-self._run["kept_bytes"] :]
                self._unwritten = True

    def _write_output(self) -> None:
        if self._unwritten:
            self._unwritten = False
            write(self._folder / "output", f"{self._came['log']}\n".encode() + self._tails["log"])

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._usage["cpu_s"] += usage.ru_utime + usage.ru_stime
            self._usage["memory"] = max(self._usage["memory"], usage.ru_maxrss * 1024.0)
            if pid == self._child.pid:
                self._status = self._child.returncode = os.waitstatus_to_exitcode(status)

    def _signal_all(self, number: int) -> bool:
        """Whether anything was there to be told."""
        found = descendants(os.getpid())
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return bool(found)

    def _kill_all(self, number: int) -> None:
        """Until nothing is left: what forks while it is killed is found at the next look."""
        while self._signal_all(number):
            self._reap()
            time.sleep(0.005)

    def _end(self, error: str) -> None:
        seconds = time.monotonic() - self._began
        said = {
            "why": self._why,
            "code": self._status,
            "error": error,
            "seconds": seconds,
            "cpu": self._usage["cpu_s"] / max(seconds, 0.001),
            "memory": self._usage["memory"],
            "result": self._tails["result"].decode(errors="replace"),
            "result_bytes": self._came["result"],
        }
        write(self._folder / "end.json", json.dumps(said).encode())


def descendants(pid: int) -> list[int]:
    """All processes below this one that are not zombies."""
    children: dict[int, list[int]] = {}
    dead = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The command's name may have spaces and brackets in it.
            state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
        except OSError:
            continue
        children.setdefault(int(parent), []).append(int(entry.name))
        if state == "Z":
            dead.add(int(entry.name))
    found, todo = [], [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += [each for each in below if each not in dead]
        todo += below
    return found


def write(file: Path, content: bytes) -> None:
    """Replace a file in one step."""
    draft = file.with_name(f"{file.name}.new")
    draft.write_bytes(content)
    draft.replace(file)


def _identity(user: str) -> tuple[int, int, list[int]] | None:
    """(user, group, all its groups) to become; None where it is this one. Raises KeyError for nobody's name."""
    if not user:
        return None
    entry = pwd.getpwnam(user)
    if entry.pw_uid == os.geteuid():
        return None
    others = [each.gr_gid for each in grp.getgrall() if user in each.gr_mem]
    return entry.pw_uid, entry.pw_gid, [entry.pw_gid, *others]


if __name__ == "__main__":
    Shim(Path(sys.argv[1])).main()
