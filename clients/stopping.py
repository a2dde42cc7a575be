"""A worker's remote command that ends the body of one attempt of a placed job, and no other's.

Celery's own `revoke` goes by the task's id, which all attempts of a job share: workers would remember it and drop the
next attempt's message, and whoever waits for the task's result would hear that it was revoked. Here the process in
the prefork pool is ended and the message is done with; the result is the next attempt's to store. In other pools a body
can't be ended from outside: it ends in vain, for the control plane takes nothing from it any more.
"""

from __future__ import annotations

from typing import Any

from celery.worker import state as worker
from celery.worker.control import control_command

from clients.celery import ATTEMPT_HEADER, JOB_HEADER, STOP_COMMAND


@control_command(name=STOP_COMMAND, args=[("job", str), ("attempt", int)], signature="<job> <attempt>")  # type: ignore[untyped-decorator]
def stop_attempt(state: Any, job: str, attempt: int, **_: Any) -> dict[str, str]:
    """End the body of one attempt of a placed job."""
    ended = 0
    for request in list(worker.active_requests):
        headers = request.request_dict
        named = headers.get(JOB_HEADER) or request.id, headers.get(ATTEMPT_HEADER)
        if named == (job, attempt):
            # Without a word to the result's store; and acknowledged, or the message would come again.
            request.cancel(state.consumer.pool, emit_retry=False)
            request.acknowledge()
            ended += 1
    return {"ok": f"{ended} ended"}
