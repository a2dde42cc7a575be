"""The whole product in a temporary folder: `steelyard up`, three hosts, one HTTP and one TCP service."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from stack_host import ROOT, StackHost, free_port
from waiting import NotYet, eventually

from clients.rest import ProblemError, Steelyard
from console.engines.envoy.stats import read
from console.place import Place

CHILDREN = ("web", "controller", "worker", "relay", "envoy")


class Product:
    """Started by start(), ended by stop(). Everything listens on loopback, on free ports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = Place(folder / "control")
        self._net = f"127.0.{1 + secrets.randbelow(254)}"
        self.address = f"{self._net}.1"
        self.listen = f"{self.address}:{free_port(self.address)}"
        self.url = f"http://{self.listen}"
        self.web_port, self.echo_port = free_port(self.address), free_port(self.address)
        self.web_url = f"http://{self.address}:{self.web_port}"
        self.own_broker = not os.environ.get("REDIS_URL")
        self.environment = {
            **os.environ,
            "STEELYARD_DATA": str(self.place.data),
            "STEELYARD_LISTEN": self.listen,
            "DJANGO_SETTINGS_MODULE": "console.settings",
            **_own_database(),
            **_own_redis(),
        }
        self.hosts = {
            name: StackHost(name, f"{self._net}.{number}", folder / name, cores, labels)
            for number, (name, cores, labels) in enumerate(
                (
                    ("alpha", 8.0, {"zone": "a", "disk": "ssd"}),
                    ("beta", 6.0, {"zone": "a"}),
                    ("gamma", 4.0, {"zone": "b"}),
                ),
                start=10,
            )
        }
        self.supervisor: subprocess.Popen[bytes] | None = None
        self.setup_link = ""
        self.client: Steelyard

    # -- starting and ending --------------------------------------------------------------------

    def start(self) -> None:
        """Everything, until every host answers through Envoy."""
        self.up()
        self.client = Steelyard(self.url, self.place.cli_token.read_text().strip())
        for host in self.hosts.values():
            host.broker = self.place.broker_url.read_text()
            host.join(self.url, self.client.create_host_token(host_name=host.name)["token"])
            host.start_server()
            host.start_worker()
        eventually(lambda: self.status()["reporting"] == len(self.hosts), what="all hosts report")
        for name, protocol, port in (("web", "http", self.web_port), ("echo", "tcp", self.echo_port)):
            endpoints = [
                f"{host.name}:{host.port if name == 'web' else host.tcp_port}" for host in self.hosts.values()
            ]
            body = {
                "name": name,
                "protocol": protocol,
                "listen": f"{self.address}:{port}",
                "endpoints": endpoints,
            }
            self.client.create_service(body)
        self.settle()

    def up(self) -> None:
        """`steelyard up`, until it says where the console is."""
        log = self.folder / "up.log"
        with log.open("wb") as sink:
            self.supervisor = subprocess.Popen(
                [sys.executable, "-c", "from console.cli import main; main()", "up"],
                cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink,
                start_new_session=True,
            )  # fmt: skip

        def said() -> bool:
            assert self.supervisor is not None
            assert self.supervisor.poll() is None, log.read_text() + self.logs()
            return "Console: " in log.read_text()

        eventually(said, 90, "steelyard up")
        found = re.search(r"one-time link\): (\S+)", log.read_text())
        self.setup_link = found.group(1) if found else ""

    def down(self) -> int:
        """Ctrl-C, and the exit code."""
        assert self.supervisor is not None
        self.supervisor.send_signal(signal.SIGINT)
        return self.supervisor.wait(60)

    def stop(self) -> None:
        """End everything, whatever state it is in."""
        for host in self.hosts.values():
            host.close()
        pids = self.pids()
        if self.supervisor is not None and self.supervisor.poll() is None:
            self.supervisor.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.supervisor.wait(30)
            if self.supervisor.poll() is None:
                self.supervisor.kill()
                self.supervisor.wait()
        for pid in pids.values():
            if belongs_to(pid, self.place.data):
                os.kill(pid, signal.SIGKILL)
        if hasattr(self, "client"):
            self.client.close()
        _drop_database(self.environment.get("DATABASE_URL", ""))

    def settle(self) -> None:
        """Mend what a test before left broken, and wait until the whole works."""
        if self.supervisor is None or self.supervisor.poll() is not None:
            self.up()
        self.go_on()
        for host in self.hosts.values():
            host.mend()
        for host in self.hosts.values():
            host.until_working()
        eventually(self._well, 60, "the product is well")

    def _well(self) -> bool:
        """Whether all works. Undoes what a test that broke off left drained. Raises NotYet."""
        status, pids = self.status(), self.pids()
        if not status["broker"]:
            raise NotYet("the broker is away")
        if missing := set(CHILDREN) - set(pids):
            raise NotYet(f"not running: {missing}")
        engines = self.client.get("engines/")["results"]
        if not any(each["connected"] for each in engines):
            raise NotYet(f"no engine is connected: {engines}")
        for endpoint in self.client.service("web")["endpoints"]:
            if endpoint["state"] == "draining":
                key = f"{endpoint['host']}:{endpoint['port']}"
                self.client.post("services/web/resume-endpoint/", {"endpoint": key})
        for host in self.client.hosts()["results"]:
            if host["lost"] or host["report_age_s"] is None or host["report_age_s"] > 8:
                raise NotYet(
                    f"{host['name']} last reported {host['report_age_s']} s ago, lost: {host['lost']}"
                )
            if host["state"] != "active":
                self.client.uncordon(host["name"])
            if not self._decides_for(host["name"]):
                raise NotYet(f"nothing would be placed on {host['name']}")
        if not self.all_answer():
            raise NotYet(f"not all hosts answer: {self.client.service('web')['endpoints']}")
        return True

    def _decides_for(self, host: str) -> bool:
        """Whether the web process, which looks at the database once a second, would place something there."""
        probe = {"kind": "job", "name": "probe", "demand": {"cpu": 0.001}, "pin_hosts": [host]}
        return not self.client.preemption(probe)["needed"]

    # -- looking and doing ----------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        return dict(self.client.status())

    def pids(self) -> dict[str, int]:
        """The supervisor's children by name, and the Envoy that the relay keeps running."""
        try:
            found = {
                name: pid for name, pid in json.loads((self.place.run / "pids").read_text()).items() if pid
            }
        except FileNotFoundError:
            return {}
        with suppress(FileNotFoundError, ValueError):
            found["envoy"] = int(self.place.envoy_pid.read_text())
        return found

    def kill(self, name: str) -> int:
        """SIGKILL one process. Returns its pid."""
        pid = self.pids()[name]
        os.kill(pid, signal.SIGKILL)
        return pid

    def stand_still(self) -> None:
        """The supervisor stops looking after its children; they may die and stay dead."""
        assert self.supervisor is not None
        self.supervisor.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """It looks again, and mends what died meanwhile."""
        assert self.supervisor is not None
        self.supervisor.send_signal(signal.SIGCONT)

    def engine(self) -> dict[str, Any]:
        """The one engine, as the API has it."""
        (found,) = self.client.get("engines/")["results"]
        return dict(found)

    def health(self, host: str) -> str:
        """The health of the host's endpoint of the HTTP service, as Envoy itself has it."""
        endpoints = asyncio.run(read(str(self.place.envoy_admin_socket)))["web"]
        return endpoints[f"{self.hosts[host].address}:{self.hosts[host].port}"].health

    def until_restarted(self, name: str, pid: int) -> None:
        """Until another process has been put in the place of pid."""
        eventually(lambda: self.pids().get(name, pid) != pid, what=f"{name} starts again")

    def answering(self, requests: int) -> set[str]:
        """The hosts that answered so many GETs through Envoy; empty if one of them failed.

        All in one burst, each held for a moment: one by one, they would all go to the fastest host that is idle.
        """
        everyone = httpx.Limits(max_connections=requests)
        client = httpx.Client(base_url=self.web_url, limits=everyone, timeout=20, verify=False)
        with client as http, ThreadPoolExecutor(requests) as threads:
            answers = list(threads.map(lambda _: http.get("/hold?s=0.3"), range(requests)))
        if any(answer.status_code != 200 for answer in answers):
            return set()
        return {answer.json()["host"] for answer in answers}

    def all_answer(self) -> bool:
        """Whether every host has its part of a burst, none of which failed.

        A host that is being ramped up, or has little to spare, has a small part: none of a small burst.
        """
        return self.answering(120) == set(self.hosts)

    def submit(self, task: str, *args: Any, **more: Any) -> str:
        """Hand in one job; returns its id."""
        body = {"task": task, "args": list(args), "demand": {"cpu": 0.01}, **more}
        return str(self.client.create_job(body)["id"])

    def ended(self, job: str, within_s: float = 45.0) -> dict[str, Any]:
        """The job, once it has ended."""

        def end() -> dict[str, Any] | None:
            found = self.client.job(job)
            return dict(found) if found["state"] in ("succeeded", "failed", "cancelled") else None

        return eventually(end, within_s, f"job {job} ends") or {}

    def finishes(self, job: str) -> int:
        """How many ends of this job the audit trail knows."""
        return int(self.client.events(subject=job, action="job.finish")["count"])

    def ready(self, shard: str, within_s: float = 60.0) -> dict[str, Any]:
        """The shard, once all its replicas are ready."""

        def whole() -> dict[str, Any] | None:
            found = self.client.shard(shard)
            return dict(found) if {each["state"] for each in found["replicas"]} == {"ready"} else None

        return eventually(whole, within_s, f"shard {shard} is ready") or {}

    def drift(self) -> dict[str, float]:
        """The ledger's own check, in a process of its own: what is reserved but not promised, or reversed."""
        script = (
            "import json, django; django.setup(); from console.placements.ledger import drift;"
            "print(json.dumps({'/'.join(line): amount for line, amount in drift().items()}))"
        )
        answer = subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            check=True,
            text=True,
        )
        return dict(json.loads(answer.stdout))

    def logs(self) -> str:
        """The ends of all logs, for the message of a test that fails."""
        files = [*self.place.logs.glob("*.log"), *self.folder.glob("*/*.log")]
        return "\n".join(
            f"--- {file.name} of {file.parent.name}\n{file.read_text(errors='replace')[-1500:]}"
            for file in files
        )


def belongs_to(pid: int, data: Path) -> bool:
    """Whether pid is a process that works for the product at data."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return os.fsencode(data) in environment + arguments


def refused(ask: Callable[[], Any]) -> ProblemError:
    """The problem document that the API answers with."""
    try:
        answer = ask()
    except ProblemError as problem:
        return problem
    raise AssertionError(f"not refused: {answer!r}")


def _own_database() -> dict[str, str]:
    """On the PostgreSQL that DATABASE_URL names, a database of our own."""
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgres"):
        return {}
    import psycopg

    name = f"stack_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return {"DATABASE_URL": urlsplit(url)._replace(path=f"/{name}").geturl()}


def _drop_database(url: str) -> None:
    if not url.startswith("postgres"):
        return
    import psycopg

    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{urlsplit(url).path[1:]}" WITH (FORCE)')


def _own_redis() -> dict[str, str]:
    """On the Redis that REDIS_URL names, a database number that no other test uses."""
    url = os.environ.get("REDIS_URL", "")
    return {"REDIS_URL": urlsplit(url)._replace(path="/7").geturl()} if url else {}
