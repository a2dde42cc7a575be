"""Runs of process templates on this host: claimed, started in a group of their own, reported, ended.

Theory of operation. The control plane gives a command for an attempt; the agent claims the attempt as a Celery worker
would, checks the template against this host's own list, and starts a shim (agents.shim) that starts the process. What
must survive a restart of the agent lies in the run's folder: an agent that comes back finds the folders, goes on with
the runs whose shim still lives, says the ends of those that ended meanwhile, and gives up the others after having
ended whatever is left of them.

Rules:
1. Nothing runs that the host's list does not allow, whatever the control plane says.
2. A run starts only after its claim was accepted, and is killed when a renewal is not.
3. A run's folder goes when its end was answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import math
import os
import pkgutil
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from agents import groups
from agents.commands import Refusal, Verb
from agents.exits import ended
from agents.limits import Cgroup
from agents.runner import RENEW_S, Ask
from agents.templates import Template, WrongTemplate, argv_of, read

#: A shim that hears nothing for so long ends its run: before the lease does, which was renewed RENEW_S ago at most.
SILENT_S = 15.0
PING_S = 2.0
SAY_S = 1.0
MOST_RUNS = 256
#: Of one report and of a result: with the rest it must fit a frame of the wire.
MOST_SAID = 24 * 1024
#: Bytes of its output that a shim keeps.
KEPT_BYTES = 64 * 1024
STOP = b"k"
#: A line of its output by which a run says how far it is, from 0 to 1, and what it does.
_PROGRESS = re.compile(r"^steelyard: progress ([0-9.]{1,20})(?: (.*))?(?:\n|$)", re.MULTILINE)
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

log = logging.getLogger("steelyard.agent")

Lease = tuple[str, int]


class Processes:
    """The runs of this host. folder: theirs, 0700. allowed: the host's list of templates, which may not be there.

    group: where groups for runs are made; None: none are. verbs: for the desk.
    """

    def __init__(
        self, folder: Path, allowed: Path, ask: Ask, group: Cgroup | None, renew_s: float = RENEW_S
    ) -> None:
        self._folder, self._allowed, self._ask, self._group = folder, allowed, ask, group
        self._renew_s = renew_s
        self._runs: dict[Lease, asyncio.Task[None]] = {}
        self._controls: dict[Lease, int] = {}
        self.verbs: dict[str, Verb] = {"process.run": self._run, "process.stop": self._stop}

    def adopt(self) -> None:
        """Take up the runs of the agent before this one."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for folder in self._folder.iterdir():
            job, _, attempt = folder.name.rpartition(".")
            if folder.is_dir() and attempt.isdigit():
                self._keep((job, int(attempt)), self._go_on((job, int(attempt)), folder))

    async def close(self) -> None:
        """Leave the runs to the next agent."""
        for task in self._runs.values():
            task.cancel()
        await asyncio.gather(*self._runs.values(), return_exceptions=True)

    async def _run(self, args: dict[str, Any], deadline: float) -> dict[str, Any]:
        """{job, attempt, template, parameters, demand} -> {}; what becomes of it is said as the attempt's events."""
        job, attempt = args.get("job"), args.get("attempt")
        if not isinstance(job, str) or not re.fullmatch(r"[0-9a-f-]{36}", job) or type(attempt) is not int:
            raise Refusal("no attempt of a job is named")
        if (job, attempt) not in self._runs:
            if len(self._runs) >= MOST_RUNS:
                raise Refusal(f"{MOST_RUNS} runs are under way here")
            self._keep((job, attempt), self._begin((job, attempt), args))
        return {}

    async def _stop(self, args: dict[str, Any], deadline: float) -> dict[str, Any]:
        """{job, attempt} -> {}: end the run; that of no run is no error."""
        if (control := self._controls.get((str(args.get("job")), args.get("attempt", 0)))) is not None:
            _tell(control, STOP)
        return {}

    def _keep(self, lease: Lease, life: Any) -> None:
        task = self._runs[lease] = asyncio.ensure_future(life)

        def ended(task: asyncio.Task[None]) -> None:
            self._runs.pop(lease, None)
            if not task.cancelled() and task.exception() is not None:
                log.error("the run of job %s attempt %d is left alone", *lease, exc_info=task.exception())

        task.add_done_callback(ended)

    async def _begin(self, lease: Lease, args: dict[str, Any]) -> None:
        if not (await self._ask(*lease, "claim")).accepted:
            return
        try:
            template = self._permitted(args.get("template"))
            argv = argv_of(template, args.get("parameters") or {})
        except WrongTemplate as error:
            await self._ask(*lease, "failed", error=f"This host does not run it: {error}")
            return
        folder = self._folder / f"{lease[0]}.{lease[1]}"
        group = groups.Group(self._group, f"steelyard-{lease[0]}-{lease[1]}")
        limited = group.limit(_amounts(args.get("demand")))
        run = {
            "argv": argv,
            "user": template.user,
            "environment": {
                "PATH": _PATH, "LANG": "C.UTF-8", **template.environment,
                "STEELYARD_JOB": lease[0], "STEELYARD_ATTEMPT": str(lease[1]),
            },
            "timeout_s": template.timeout_s,
            "output": template.output,
            "groups": [str(each) for each in limited],
            "silent_s": SILENT_S,
            "kept_bytes": KEPT_BYTES,
            "stop": STOP.decode(),
        }  # fmt: skip
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        (folder / "run.json").write_text(json.dumps(run))
        # Not from where this module lies: that may be an archive.
        (folder / "shim.py").write_bytes(pkgutil.get_data("agents", "shim.py") or b"")
        os.mkfifo(folder / "control", 0o600)
        control = os.open(folder / "control", os.O_RDWR | os.O_NONBLOCK)
        shim = _start(folder)
        await self._follow(lease, folder, control, os.pidfd_open(shim))
        os.waitpid(shim, 0)
        await self._say_end(lease, folder)

    async def _go_on(self, lease: Lease, folder: Path) -> None:
        """With a run that another agent began."""
        try:
            control = os.open(folder / "control", os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno not in (errno.ENXIO, errno.ENOENT):
                raise
        else:
            # Somebody reads, so the shim lives, and the process of that number is it.
            await self._follow(lease, folder, control, os.pidfd_open(int((folder / "pid").read_text())))
        await self._say_end(lease, folder)

    async def _follow(self, lease: Lease, folder: Path, control: int, pidfd: int) -> None:
        """Until the shim has ended."""
        self._controls[lease] = control
        works = [self._ping(control), self._renew(lease, control), self._report(lease, folder)]
        tasks = [asyncio.ensure_future(work) for work in works]
        try:
            await ended(pidfd)
        finally:
            del self._controls[lease]
            for task in tasks:
                task.cancel()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(result, Exception):
                    log.error("of the run of job %s attempt %d", *lease, exc_info=result)
            os.close(control)

    async def _ping(self, control: int) -> None:
        while True:
            _tell(control, b".")
            await asyncio.sleep(PING_S)

    async def _renew(self, lease: Lease, control: int) -> None:
        while True:
            # At once, too: of an adopted run nobody knows how long it was not renewed.
            if not (await self._ask(*lease, "renew")).accepted:
                _tell(control, STOP)
                return
            await asyncio.sleep(self._renew_s)

    async def _report(self, lease: Lease, folder: Path) -> None:
        while True:
            await asyncio.sleep(SAY_S)
            await self._say_output(lease, folder)

    async def _say_output(self, lease: Lease, folder: Path) -> None:
        """What came since the last time, as far as it is kept; how much was said stands in the folder."""
        with contextlib.suppress(FileNotFoundError):
            first, _, tail = (folder / "output").read_bytes().partition(b"\n")
            came, said = int(first), _number(folder / "said")
            fresh = tail[len(tail) - min(came - said, len(tail)) :].decode(errors="replace")
            if not fresh:
                return
            share, note, lines = _read_progress(fresh)
            for begin in range(0, max(len(lines), 1), MOST_SAID):
                part = lines[begin : begin + MOST_SAID]
                await self._ask(*lease, "report", share=share, note=note, lines=part)
            (folder / "said").write_text(str(came))

    async def _say_end(self, lease: Lease, folder: Path) -> None:
        try:
            end = json.loads((folder / "end.json").read_text())
        except FileNotFoundError:
            # The shim was killed, or the host went down: what may be left of the run is ended here.
            await asyncio.get_running_loop().run_in_executor(None, _end_orphans, lease)
            end = {"why": "lost"}
        await self._say_output(lease, folder)
        event, said = _verdict(end)
        await self._ask(*lease, event, **said)
        await self._clear(folder)

    async def _clear(self, folder: Path) -> None:
        with contextlib.suppress(FileNotFoundError, ValueError):
            made = [Path(each) for each in json.loads((folder / "run.json").read_text())["groups"]]
            for _ in range(20):
                if groups.remove(made):
                    break
                await asyncio.sleep(0.05)  # the kernel takes a moment to forget the last of its processes
        shutil.rmtree(folder)

    def _permitted(self, document: Any) -> Template:
        """The template, if this host's list has exactly it. Raises WrongTemplate."""
        template = read(document)
        try:
            entry = self._allowed.stat()
            lines = self._allowed.read_text().splitlines()
        except OSError as error:
            raise WrongTemplate(
                template.name, f"{self._allowed}: {error.strerror}; to have it there: {template.line()}"
            ) from None
        if entry.st_uid not in (0, os.geteuid()) or entry.st_mode & 0o022:
            raise WrongTemplate(template.name, f"{self._allowed} can be written to by others")
        if template.line() not in (line.partition("#")[0].strip() for line in lines):
            raise WrongTemplate(template.name, f"{self._allowed} does not have the line: {template.line()}")
        return template


def _start(folder: Path) -> int:
    """The shim of a run, in a session of its own; its pid."""
    nothing = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    argv = [sys.executable, "-I", "-S", str(folder / "shim.py"), str(folder)]
    return os.posix_spawn(sys.executable, argv, os.environ, file_actions=nothing, setsid=True)


def _verdict(end: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A shim's word of the end as the event that says it."""
    match end["why"]:
        case "lost" | "silent":
            return "lost", {"error": "the agent or the process that watches the run was gone"}
        case "timeout":
            return "failed", {"error": f"timed out after {end['seconds']:.1f} s"}
        case "stopped":
            return "failed", {"error": "stopped"}
    if end["error"]:
        return "failed", {"error": end["error"][:2000]}
    if end["code"] != 0:
        code = end["code"]
        return "failed", {"error": f"killed by signal {-code}" if code < 0 else f"exit code {code}"}
    result: dict[str, Any] = {"exit": 0}
    if end["result_bytes"] > min(MOST_SAID, KEPT_BYTES):
        result["omitted"] = f"{end['result_bytes']} bytes, more than {MOST_SAID}"
    elif end["result"]:
        result["output"] = end["result"]
    used = {name: end[name] for name in ("cpu", "memory", "seconds")}
    return "succeeded", {"result": result, "used": used}


def _read_progress(fresh: str) -> tuple[float | None, str, str]:
    """(share, note, the other lines) of what a run wrote."""
    share, note = None, ""
    for said in _PROGRESS.finditer(fresh):
        with contextlib.suppress(ValueError):
            share, note = float(said[1]), said[2] or ""
    return share, note, _PROGRESS.sub("", fresh)


def _amounts(demand: Any) -> dict[str, float]:
    """What of a demand are amounts."""
    said = demand if isinstance(demand, dict) else {}
    return {
        name: float(each) for name, each in said.items() if type(each) in (int, float) and math.isfinite(each)
    }


def _tell(control: int, word: bytes) -> None:
    """To a shim that may have just ended, or has not read for long."""
    with contextlib.suppress(BrokenPipeError, BlockingIOError):
        os.write(control, word)


def _number(file: Path) -> int:
    return int(file.read_text()) if file.exists() else 0


def _end_orphans(lease: Lease) -> None:
    """Kill what is left of a run whose shim is gone, until nothing is."""
    while found := list(_orphans(lease)):
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(found, timeout=1)


def _orphans(lease: Lease) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            said = process.environ()
            if (said.get("STEELYARD_JOB"), said.get("STEELYARD_ATTEMPT")) == (lease[0], str(lease[1])):
                yield process
