"""What the demo's jobs do: the Celery application that runs on every demo host."""

from __future__ import annotations

import hashlib
import os
import time

from celery import Celery
from celery.signals import worker_ready

from clients.celery import install

app = Celery("demo", broker=os.environ["REDIS_URL"])
app.conf.update(
    task_serializer="json",
    accept_content=["json"],
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    # The line below is for who started this worker, not for its log.
    worker_redirect_stdouts=False,
)


@app.task(name="demo.burn")
def burn(milliseconds: float) -> str:
    """Use the cpu for so long, and return the digest of what was computed."""
    digest, until = hashlib.sha256(), time.thread_time() + min(milliseconds, 60_000) / 1000
    while time.thread_time() < until:
        digest.update(b"steelyard" * 256)
    return digest.hexdigest()


install(app)


@worker_ready.connect
def _say_ready(**_: object) -> None:
    """The line that who started this worker waits for."""
    print("ready", flush=True)
