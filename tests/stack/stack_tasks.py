"""The jobs of these tests: the Celery application that runs on every host of the stack."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from celery import Celery
from celery.signals import worker_ready

from clients.celery import install
from clients.reporting import progress

HOST = os.environ.get("STACK_HOST", "")
MOST_S = 60.0

app = Celery("stack", broker=os.environ.get("STACK_BROKER"))
app.conf.update(
    task_serializer="json",
    accept_content=["json"],
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    worker_redirect_stdouts=False,
)


@app.task(name="stack.add")
def add(one: int, other: int) -> dict[str, object]:
    """The sum, and which host's worker made it."""
    return {"sum": one + other, "host": HOST}


@app.task(name="stack.fail")
def fail(message: str) -> None:
    """End badly."""
    raise ValueError(message)


@app.task(name="stack.take")
def take(megabytes: int) -> int:
    """Hold so much memory for a moment."""
    return len(bytearray(megabytes * 2**20))


@app.task(name="stack.wait")
def wait(trace: str, flag: str) -> str:
    """Leave a trace of having begun, then run until a file appears; returns the host."""
    with Path(trace).open("a") as file:
        file.write(f"{HOST}\n")
    until = time.monotonic() + MOST_S
    while not Path(flag).exists():
        if time.monotonic() > until:
            raise TimeoutError(f"{flag} did not appear")
        time.sleep(0.02)
    return HOST


@app.task(name="stack.flaky")
def flaky(trace: str) -> str:
    """Fail at the first try; say how far the second one is, log, and succeed."""
    if not Path(trace).exists():
        Path(trace).touch()
        raise ConnectionError("its database was away")
    progress(0.75, "nearly there")
    logging.getLogger("flaky").warning("it is back")
    return HOST


@app.task(name="stack.limp")
def limp(trace: str) -> str:
    """Run for long where it is the first to leave a trace, and for a moment wherever it is not; returns the host."""
    try:
        Path(trace).open("x").close()
    except FileExistsError:
        return HOST
    time.sleep(MOST_S)
    return HOST


@app.task(name="stack.abort")
def abort() -> None:
    """Take the worker's process along."""
    os.abort()


if os.environ.get("STEELYARD_AGENT_SOCKET"):
    install(app)


@worker_ready.connect
def _say_ready(**_: object) -> None:
    print("ready", flush=True)
