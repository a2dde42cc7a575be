"""Runs of process templates: real processes, real control groups, an agent that is killed and comes back."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from control_plane import ControlPlane

from agents import limits, shim, wire
from agents.commands import Refusal
from agents.processes import Processes
from agents.templates import read
from agents.wire import JobAnswer

SCRIPT = {
    "name": "script",
    "argv": [sys.executable, "-I", "-S", "-c", "{code}", "{folder}"],
    "parameters": {
        "code": {"type": "text", "pattern": r"(?s).*"},
        "folder": {"type": "text", "pattern": "/.*"},
    },
}
#: Starts a process that gets away as far as it can, then waits.
FORKS = """
import os, sys, time
open(sys.argv[1] + "/ran", "a").write("x")
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open(sys.argv[1] + "/far", "w").write(str(os.getpid()))
        time.sleep(60)
    os._exit(0)
time.sleep(60)
"""


class Plane:
    """Takes the place of Link.ask: the control plane's answers from the test."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, str, dict[str, Any]]] = []
        self.refuse: set[str] = set()
        self._moved = asyncio.Condition()

    async def __call__(self, job: str, attempt: int, event: str, **said: Any) -> JobAnswer:
        async with self._moved:
            self.asked.append((job, attempt, event, said))
            self._moved.notify_all()
        return JobAnswer(0, event not in self.refuse, "told so" if event in self.refuse else "")

    async def wait_for(self, *events: str) -> dict[str, Any]:
        """What the first of these events said."""
        async with asyncio.timeout(60), self._moved:
            await self._moved.wait_for(lambda: [each for each in self.asked if each[2] in events])
            return next(said for *_, event, said in self.asked if event in events)

    def events(self) -> list[str]:
        """What was said, without what is said again and again."""
        return [event for *_, event, _ in self.asked if event not in ("renew", "report")]


class Rig:
    """An agent's runs in a folder of their own, with the list of the host."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.plane = folder, Plane()
        self.allowed = folder / "templates"
        self.job = str(uuid.uuid4())
        self.processes = self.another()

    def another(self, group: limits.Cgroup | None = None) -> Processes:
        return Processes(self.folder / "runs", self.allowed, self.plane, group, renew_s=0.2)

    def allow(self, template: dict[str, Any]) -> None:
        self.allowed.write_text(f"# what may run here\n{read(template).line()}  # by hand\n")

    async def run(self, code: str, template: dict[str, Any] = SCRIPT, **more: Any) -> None:
        parameters = {"code": code, "folder": str(self.folder)}
        args = {"job": self.job, "attempt": 1, "template": template, "parameters": parameters, **more}
        await self.processes.verbs["process.run"](args, 0.0)

    async def stop(self) -> None:
        await self.processes.verbs["process.stop"]({"job": self.job, "attempt": 1}, 0.0)

    async def until(self, found: Callable[[], Any]) -> Any:
        async with asyncio.timeout(60):
            while not (value := found()):
                await asyncio.sleep(0.02)
        return value

    def far(self) -> int:
        """The process that got away furthest."""
        file = self.folder / "far"
        return int(file.read_text() or 0) if file.exists() else 0

    async def all_gone(self) -> None:
        """Until nothing of the run is left, nor its folder."""
        await self.until(lambda: not alive(self.far()) and not list((self.folder / "runs").iterdir()))


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """Runs of this test; what is left of them is killed."""
    rig = Rig(tmp_path)
    rig.processes.adopt()
    rig.allow(SCRIPT)
    yield rig
    await rig.stop()
    await rig.processes.close()
    for process in psutil.process_iter():
        try:
            if process.environ().get("STEELYARD_JOB") == rig.job or str(tmp_path) in process.cmdline():
                process.kill()
        except psutil.Error:
            continue


async def test_a_run_is_claimed_reported_and_ends_once(rig: Rig) -> None:
    """With its log, how far it is and what it used; its environment is what the template says, and its command is
    carried out once however often it comes."""
    code = (
        "import os, time; print('begins', flush=True); print('steelyard: progress 0.5 half', flush=True);"
        "time.sleep(1.5); x = sum(range(10**6)); print(sorted(os.environ)); print('done')"
    )
    await rig.run(code)
    await rig.run(code)
    end = await rig.plane.wait_for("succeeded", "failed", "lost")
    await rig.all_gone()
    reports = [said for *_, event, said in rig.plane.asked if event == "report"]

    assert rig.plane.events() == ["claim", "succeeded"]
    assert end["result"] == {"exit": 0}
    assert end["used"].keys() == {"cpu", "memory", "seconds"}
    assert [("half", 0.5)] == [(said["note"], said["share"]) for said in reports if said["share"] is not None]
    lines = "".join(said["lines"] for said in reports).split("\n")
    assert lines[0] == "begins"
    assert "['LANG', 'PATH', 'STEELYARD_ATTEMPT', 'STEELYARD_JOB']" in lines
    assert lines[-2:] == ["done", ""]


async def test_nothing_runs_that_the_hosts_list_does_not_have(rig: Rig) -> None:
    """No list, another digest, a list that others may write: the attempt fails with the reason."""
    code = "open(__import__('sys').argv[1] + '/ran', 'w')"
    rig.allow({**SCRIPT, "timeout_s": 5})
    await rig.run(code)
    other = await rig.plane.wait_for("failed")
    rig.allowed.chmod(0o666)
    rig.job, rig.plane.asked = str(uuid.uuid4()), []
    await rig.run(code)
    open_to_all = await rig.plane.wait_for("failed")
    rig.allowed.unlink()
    rig.job, rig.plane.asked = str(uuid.uuid4()), []
    await rig.run(code)
    none = await rig.plane.wait_for("failed")

    assert f"does not have the line: {read(SCRIPT).line()}" in other["error"]
    assert "can be written to by others" in open_to_all["error"]
    assert "No such file" in none["error"]
    assert not (rig.folder / "ran").exists()
    assert not list((rig.folder / "runs").iterdir())
    with pytest.raises(Refusal):
        await rig.processes.verbs["process.run"]({"job": "../x", "attempt": 1}, 0.0)


async def test_a_refused_claim_starts_nothing(rig: Rig) -> None:
    """The attempt is another's, or over."""
    rig.plane.refuse = {"claim"}
    await rig.run("open(__import__('sys').argv[1] + '/ran', 'w')")
    await rig.plane.wait_for("claim")
    await rig.until(lambda: not rig.processes._runs)

    assert rig.plane.events() == ["claim"]
    assert not (rig.folder / "ran").exists()


@pytest.mark.parametrize(
    ("code", "change", "said"),
    [
        ("import sys; print('why'); sys.exit(3)", {}, "exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", {}, "killed by signal 9"),
        ("import time; time.sleep(60)", {"timeout_s": 0.3}, "timed out after"),
        ("", {"argv": ["/no/such/program", "{code}", "{folder}"]}, "it can't be started: [Errno 2]"),
        ("", {"user": "nobody_knows"}, "it can't be started"),
    ],
)
async def test_a_run_that_fails_says_how(rig: Rig, code: str, change: dict[str, Any], said: str) -> None:
    """Its exit code, its signal, its time, or why it could not begin."""
    rig.allow({**SCRIPT, **change})
    await rig.run(code, {**SCRIPT, **change})

    assert said in (await rig.plane.wait_for("failed", "succeeded", "lost"))["error"]
    await rig.all_gone()


async def test_what_a_run_writes_to_stdout_can_be_its_result(rig: Rig) -> None:
    """What it writes to stderr is its log then; of what is too long only its size is said."""
    template = {**SCRIPT, "output": "result"}
    rig.allow(template)
    await rig.run("import sys; print('42'); print('hm', file=sys.stderr)", template)
    end = await rig.plane.wait_for("succeeded")
    log = "".join(said["lines"] for *_, event, said in rig.plane.asked if event == "report")
    rig.job, rig.plane.asked = str(uuid.uuid4()), []
    await rig.run("print('x' * 100_000)", template)
    long = await rig.plane.wait_for("succeeded")

    assert (end["result"], log) == ({"exit": 0, "output": "42\n"}, "hm\n")
    assert long["result"] == {"exit": 0, "omitted": "100001 bytes, more than 24576"}


@pytest.mark.parametrize("how", ["stop", "renewal"])
async def test_a_run_is_ended_with_all_that_it_started(rig: Rig, how: str) -> None:
    """By command, and where its attempt was given up; also what made a session of its own."""
    await rig.run(FORKS)
    far = await rig.until(rig.far)
    if how == "stop":
        await rig.stop()
    else:
        rig.plane.refuse = {"renew"}
    end = await rig.plane.wait_for("failed", "lost", "succeeded")

    assert end["error"] == "stopped"
    assert not alive(far)
    await rig.all_gone()


async def test_a_run_goes_on_under_the_next_agent(rig: Rig) -> None:
    """It is claimed once, runs once, and what it wrote meanwhile is said; one that ended meanwhile is said as well."""
    code = (
        "import sys, time; from pathlib import Path; at = Path(sys.argv[1]);"
        "(at / 'ran').open('a').write('x'); print('before', flush=True)\n"
        "while not (at / 'go-on').exists(): time.sleep(0.02)\nprint('after')"
    )
    await rig.run(code)
    await rig.until((rig.folder / "ran").exists)
    await rig.processes.close()
    rig.processes = rig.another()
    rig.processes.adopt()
    await rig.plane.wait_for("report")
    await rig.processes.close()
    (rig.folder / "go-on").touch()
    await rig.until(lambda: list(rig.folder.glob("runs/*/end.json")))
    rig.processes = rig.another()
    rig.processes.adopt()
    await rig.plane.wait_for("succeeded")
    await rig.all_gone()

    assert rig.plane.events() == ["claim", "succeeded"]
    assert (rig.folder / "ran").read_text() == "x"
    assert (
        "".join(said["lines"] for *_, event, said in rig.plane.asked if event == "report")
        == "before\nafter\n"
    )


async def test_what_a_killed_shim_leaves_is_ended(rig: Rig) -> None:
    """By the next agent, which then says that the attempt is lost."""
    await rig.run(FORKS)
    far = await rig.until(rig.far)
    await rig.processes.close()
    (folder,) = (rig.folder / "runs").iterdir()
    os.kill(int((folder / "pid").read_text()), signal.SIGKILL)
    assert alive(far)
    rig.processes = rig.another()
    rig.processes.adopt()
    await rig.plane.wait_for("lost")

    assert rig.plane.events() == ["claim", "lost"]
    await rig.all_gone()


async def test_a_run_ends_when_no_agent_is_heard_of(tmp_path: Path) -> None:
    """Before its lease does: the control plane will give it to another host."""
    run = {
        "argv": [sys.executable, "-I", "-S", "-c", FORKS, str(tmp_path)], "user": "", "environment": {}, "groups": [],
        "timeout_s": 60, "output": "log", "silent_s": 1.5, "kept_bytes": 1000, "stop": "k",
    }  # fmt: skip
    (tmp_path / "run.json").write_text(json.dumps(run))
    os.mkfifo(tmp_path / "control")
    process = await asyncio.create_subprocess_exec(sys.executable, "-I", "-S", shim.__file__, str(tmp_path))
    async with asyncio.timeout(30):
        assert await process.wait() == 0

    assert json.loads((tmp_path / "end.json").read_text())["why"] == "silent"
    assert not alive(int((tmp_path / "far").read_text()))


@pytest.mark.rack
async def test_what_a_run_was_promised_is_its_limit(rig: Rig) -> None:
    """Of cpu and memory, in a group that is gone afterwards; beyond the memory it is killed. As another user."""
    group = limits.find(None)
    rig.processes = rig.another(group)
    rig.processes.adopt()
    # Without an end, it asks for ever more memory.
    code = "id -u; id -G; cat /proc/self/cgroup; exec tail /dev/zero"
    template = {**SCRIPT, "argv": ["/bin/sh", "-c", "{code}", "{folder}"], "user": "nobody"}
    rig.allow(template)
    await rig.run(code, template, demand={"cpu": 0.5, "memory": 64 * 2**20})
    end = await rig.plane.wait_for("failed", "succeeded")
    await rig.all_gone()
    log = "".join(said["lines"] for *_, event, said in rig.plane.asked if event == "report")

    assert end.get("error") == "killed by signal 9", log
    assert log.startswith("65534\n65534\n")
    assert f"steelyard-{rig.job}-1" in log
    assert not list(Path("/sys/fs/cgroup").glob(f"*/steelyard-{rig.job}-1"))


async def test_an_agent_that_is_killed_comes_back_to_its_runs(
    plane: ControlPlane, short_dir: Path, start_agent: Callable[..., Any]
) -> None:
    """The whole agent: SIGKILL, run again, one claim, one run, one end."""
    (short_dir / "templates").write_text(read(SCRIPT).line())
    code = (
        "import sys, time; from pathlib import Path; at = Path(sys.argv[1]); (at / 'ran').open('a').write('x')\n"
        "while not (at / 'go-on').exists(): time.sleep(0.02)"
    )
    args = {
        "job": str(uuid.uuid4()), "attempt": 1, "template": SCRIPT,
        "parameters": {"code": code, "folder": str(short_dir)}, "demand": {"cpu": 1.0},
    }  # fmt: skip
    first = await start_agent(
        "join", plane.url, "--token", "t1.secret-of-at-least-16", "--name", "h1", "--data", str(short_dir)
    )
    await plane.wait_for(lambda: plane.of(wire.Report))
    assert (await plane.command("process.run", args)).ok
    began = time.monotonic()
    while not (short_dir / "ran").exists():
        assert time.monotonic() - began < 30
        await asyncio.sleep(0.02)
    first.kill()
    await first.wait()
    await start_agent("run", "--data", str(short_dir))
    await plane.wait_for(lambda: len(plane.hellos) > 1)
    # The control plane gives it again where it did not hear the outcome.
    assert (await plane.command("process.run", args)).ok
    (short_dir / "go-on").touch()
    await plane.wait_for(
        lambda: [event for event in plane.of(wire.JobEvent) if event.event == "succeeded"], 60
    )

    said = [event.event for event in plane.of(wire.JobEvent)]
    assert (said.count("claim"), said.count("succeeded")) == (1, 1)
    assert (short_dir / "ran").read_text() == "x"
    assert not subprocess.run(["pgrep", "-f", str(short_dir / "runs")], capture_output=True).stdout
