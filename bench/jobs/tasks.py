"""What the measured jobs do: the Celery application that runs on every host, for ours and for the shared queue alike.

Each body says to the broker when it began and when it ended: one that began and never ended was killed.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from typing import Any

import redis
from celery import Celery
from celery.signals import worker_ready

from clients.celery import install

app = Celery("bench-jobs", broker=os.environ["REDIS_URL"])
app.conf.update(
    task_serializer="json",
    accept_content=["json"],
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    worker_redirect_stdouts=False,
)
_seen = redis.Redis.from_url(os.environ["REDIS_URL"])
#: Peaks of memory last so long in steps, so that a killed body is gone in the middle of its work.
STEP_S = 0.05


@app.task(name="bench.work")
def work(run: str, number: int, cpu_s: float, memory_bytes: int, hold_s: float, io_bytes: int) -> None:
    """Use the cpu for so long, hold so much memory for so long, write so much to the disk."""
    _say(run, number, "began")
    digest, until = hashlib.sha256(), time.thread_time() + cpu_s
    while time.thread_time() < until:
        digest.update(b"steelyard" * 256)
    held = bytearray(os.urandom(4096)) * (memory_bytes // 4096)
    for _ in range(round(hold_s / STEP_S)):
        time.sleep(STEP_S)
    if io_bytes:
        with tempfile.TemporaryFile() as file:
            file.write(os.urandom(io_bytes))
            file.flush()
            os.fsync(file.fileno())
    del held
    _say(run, number, "ended")


def _say(run: str, number: int, what: str) -> None:
    said: dict[str, Any] = {"number": number, "what": what, "at": time.time()}
    _seen.rpush(run, json.dumps(said))


install(app)


@worker_ready.connect
def _say_ready(**_: object) -> None:
    """The line that who started this worker waits for."""
    print("ready", flush=True)
