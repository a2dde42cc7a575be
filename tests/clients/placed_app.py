"""A Celery application whose worker the tests start: tasks that leave traces of having run."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Any

from celery import Celery, Task

from clients.celery import install
from clients.reporting import progress

app = Celery("placed", broker=os.environ.get("PLACED_BROKER"), backend=os.environ.get("PLACED_BROKER"))
app.conf.update(
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
    accept_content=["json"],
    worker_prefetch_multiplier=1,
)
if os.environ.get("STEELYARD_AGENT_SOCKET"):
    install(app)


def leave_trace(trace: str) -> None:
    with Path(trace).open("a") as file:
        file.write(f"{os.getpid()}\n")


@app.task(name="placed.add")
def add(trace: str, one: int, other: int) -> int:
    leave_trace(trace)
    return one + other


@app.task(name="placed.fail")
def fail(trace: str) -> None:
    leave_trace(trace)
    raise RuntimeError("as asked")


@app.task(name="placed.hang")
def hang(trace: str) -> None:
    leave_trace(trace)
    time.sleep(60)


@app.task(name="placed.report")
def report(trace: str) -> float:
    """Says how far it is, logs, and uses some cpu and memory."""
    progress(0.25, "a quarter")
    logging.getLogger("work").warning("began with %s", trace)
    held = bytearray(os.urandom(1024)) * (32 * 1024)
    until = time.thread_time() + 0.3
    while time.thread_time() < until:
        held[0] ^= 1
    return time.thread_time()


class Based(Task):  # type: ignore[misc]
    """Another base class with a call of its own."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return ["based", self.request.id, self.run(*args, **kwargs)]


@app.task(name="placed.based", base=Based)
def based(trace: str) -> str:
    leave_trace(trace)
    return "body"


@app.task(name="placed.nested", bind=True)
def nested(self: Any, trace: str, depth: int) -> list[Any]:
    leave_trace(trace)
    return [self.request.id, add(trace, 1, 1), self(trace, depth - 1) if depth else None]


if os.environ.get("PLACED_DASK"):
    from distributed import get_worker

    from clients.dask import on_dask

    @app.task(name="placed.dask")
    @on_dask(os.environ["PLACED_DASK"])
    def on_cluster(trace: str, flag: str) -> str:
        """Where it runs, once the file is there; none is waited for where none is named."""
        leave_trace(trace)
        while flag and not Path(flag).exists():
            time.sleep(0.02)
        if flag.endswith("fail"):
            raise RuntimeError("as asked")
        return str(get_worker().name)


def traces(trace: Path) -> int:
    """How many bodies ran."""
    return len(trace.read_text().splitlines()) if trace.exists() else 0
