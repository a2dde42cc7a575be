"""Celery's sending side: one line, and an application's tasks go where Steelyard places them.

    from clients.sending import place_tasks
    place_tasks(app, Steelyard(url, token), {"media.encode": {"cpu": 2, "memory": 2**30}})

Instead of being published, a task's message becomes a job, whose id is the task's. It waits in Steelyard's queue until
a host has room; then the same message (callbacks, chords, chains, time limits, reply_to) goes to that host's workers.
delay(), apply_async(), canvases and AsyncResult work as before.

Left alone: what is sent to a queue of its own, and tasks that are not to be placed. Of `countdown` and `eta` Steelyard
takes the time: the job waits for it there. Celery's own retry of a placed job counts as a failed try: what is tried
again, and when, is said with `tries` and `backoff_s`.

One call may say more, in the header `steelyard`:

    encode.apply_async((film,), headers={"steelyard": {"tenant": "web", "priority": 5, "tries": 3}})
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from celery import Celery
from kombu.utils.json import dumps

from clients.celery import ATTEMPT_HEADER
from clients.rest import Steelyard

#: What of one call's header goes with its job.
OPTIONS = (
    "demand", "labels", "policy", "tenant", "priority", "deadline", "tries", "backoff_s", "preemptible", "second_copy",
    "after",
)  # fmt: skip
SAYS = "steelyard"


def place_tasks(
    app: Celery,
    client: Steelyard,
    needs: Mapping[str, Mapping[str, float]] | None = None,
    *,
    others: bool = False,
    **usual: Any,
) -> None:
    """Have the app's tasks placed. From then on sending one raises ProblemError where Steelyard refuses it, and
    httpx.TransportError where it can't be reached.

    needs: task name to what one run needs, {} for what its past runs used. Tasks that are not named are published as
    before, unless others is true (or needs is left out): then they are placed by what their past runs used.
    usual: OPTIONS of all jobs of this app, such as tenant="web".
    """
    if unknown := usual.keys() - set(OPTIONS):
        raise ValueError(f"{', '.join(sorted(unknown))}: there is {', '.join(OPTIONS)}")
    known = {name: dict(demand) for name, demand in (needs or {}).items()}
    everything = others or needs is None
    publish = app.amqp.send_task_message

    def send(producer: Any, name: str, message: Any, *args: Any, queue: Any = None, **options: Any) -> Any:
        headers = {**message.headers, **(options.get("headers") or {})}
        elsewhere = queue is not None and getattr(queue, "name", queue) != app.conf.task_default_queue
        if elsewhere or ATTEMPT_HEADER in headers or not (everything or name in known):
            return publish(producer, name, message, *args, queue=queue, **options)
        job = {**usual, "demand": known.get(name, {}), **_said(headers.pop(SAYS, None))}
        return client.create_job({**job, **job_of(name, message, headers)})

    app.amqp.send_task_message = send


def job_of(name: str, message: Any, headers: dict[str, Any]) -> dict[str, Any]:
    """A Celery message (protocol 2) as the job that carries it. Raises ValueError for what JSON can't say."""
    try:
        # As Celery's own JSON says it: a date among the arguments is a date again in the worker.
        args, kwargs, embed = _plain(message.body)
        kept = _plain({**headers, "eta": None, "expires": None})
        properties = _plain(dict(message.properties))
        identity = str(uuid.UUID(headers["id"]))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} can't be placed: {error}") from error
    return {
        "id": identity,
        "task": name,
        "args": args,
        "kwargs": kwargs,
        "not_before": headers.get("eta"),
        **({"deadline": headers["expires"]} if headers.get("expires") else {}),
        "message": {"headers": kept, "properties": properties, "embed": embed},
    }


def _plain(value: Any) -> Any:
    return json.loads(dumps(value))  # type: ignore[no-untyped-call]


def _said(said: Any) -> dict[str, Any]:
    if said is None:
        return {}
    if not isinstance(said, Mapping) or said.keys() - set(OPTIONS):
        raise ValueError(f"the header {SAYS} is a mapping with {', '.join(OPTIONS)}")
    return dict(said)
