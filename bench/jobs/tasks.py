"""The Celery application that runs on every host, for ours and for the shared queue alike."""

from __future__ import annotations

import os

from celery import Celery
from celery.signals import worker_ready

from bench.jobs.bodies import work
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
app.task(name="bench.work")(work)
install(app)


@worker_ready.connect
def _say_ready(**_: object) -> None:
    """The line that who started this worker waits for."""
    print("ready", flush=True)
