"""A host whose agent starts its worker, watches it, and ends it with the host's membership."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from product import Product
from stack_host import StackHost
from waiting import eventually

pytestmark = pytest.mark.stack
WORKER = [
    sys.executable,
    "-m",
    "celery",
    "-A",
    "stack_tasks",
    "worker",
    "-P",
    "prefork",
    "-c",
    "2",
    "-l",
    "WARNING",
]
THERE = {"labels": {"zone": "w"}}


@pytest.fixture
def delta(product: Product, tmp_path: Path) -> Iterator[StackHost]:
    """The only host of its zone; nobody starts its worker but its agent."""
    address = product.hosts["gamma"].address
    host = StackHost(
        "delta", address, tmp_path / "delta", 2.0, THERE["labels"], product.place.broker_url.read_text()
    )
    token = product.client.create_host_token(host_name=host.name)["token"]
    host.join(
        product.url, token, "--worker", shlex.join(WORKER), "--worker-directory", str(Path(__file__).parent)
    )
    yield host
    host.close()
    if (left := host.data / "worker.json").exists():
        pid = json.loads(left.read_text())["pid"]
        if psutil.pid_exists(pid):
            os.killpg(pid, signal.SIGKILL)


def seen(product: Product) -> dict[str, Any]:
    """What the console says of its worker."""
    found: dict[str, Any] = next(
        (each for each in product.client.get("workers/") if each["host"] == "delta"), {"watched": None}
    )
    return found


def pid_of(host: StackHost) -> int:
    return int(json.loads((host.data / "worker.json").read_text())["pid"])


def test_the_agent_has_a_worker_run(product: Product, delta: StackHost) -> None:
    """It does jobs; killed, it is started again and the console says so; it goes on under the next agent; it ends when
    the host is removed."""
    job = product.ended(product.submit("stack.add", 1, 2, **THERE), 90)
    assert (job["state"], job["result"]) == ("succeeded", {"sum": 3, "host": "delta"})
    assert eventually(
        lambda: (seen(product)["watched"] or {}).get("processes") == 2, what="both processes are told"
    )
    assert (seen(product)["state"], seen(product)["succeeded"]) == ("well", 1)

    first = pid_of(delta)
    os.kill(first, signal.SIGKILL)
    assert product.ended(product.submit("stack.add", 3, 4, **THERE), 90)["result"]["sum"] == 7
    eventually(lambda: seen(product)["watched"]["starts"] == 2, what="the second start is told")
    assert seen(product)["watched"]["why"] == "killed by SIGKILL"

    second = pid_of(delta)
    delta.kill("agent")
    delta.start_agent()
    assert product.ended(product.submit("stack.add", 5, 6, **THERE), 90)["result"]["sum"] == 11
    assert pid_of(delta) == second != first

    product.client.remove_host("delta")
    eventually(lambda: not psutil.pid_exists(second), what="the worker ends with the membership")
    assert delta.processes["agent"].wait(30) == 2
