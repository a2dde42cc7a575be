"""The control plane's own Celery application: tells people of alerts and keeps house."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

QUEUE = "steelyard"

app = Celery("steelyard")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_default_queue=QUEUE,
    task_serializer="json",
    accept_content=["json"],
    task_ignore_result=True,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    # Tasks on one thread that go by one connection to the database: opening one costs more than most of them.
    CELERY_DB_REUSE_MAX=1000,
    broker_transport_options={"socket_timeout": 5, "socket_connect_timeout": 5},
    # Remote commands reach all workers of a broker; this one knows that those to the hosts' are not for it.
    imports=["console.events.tasks", "console.alerts.tasks", "clients.stopping"],
)
