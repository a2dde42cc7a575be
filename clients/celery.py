"""Celery's side of placed jobs: the guard of a worker on a host. What sends tasks is in clients.sending.

    from clients.celery import install
    install(app)                    # in the module that makes the app; STEELYARD_AGENT_SOCKET names the agent

A message with the header `steelyard_attempt` is a placed job (its id is the header `steelyard_job`, or else
the task's id). Its body runs only if the agent's claim for this attempt is accepted, and its message is held
until the control plane has taken the end. Other tasks are left alone.

Why `__call__`: Celery runs a task as before_start, body, store the result, signals. Signals cannot stop a
body (their exceptions are logged and dropped), before_start can, but nothing except the call itself stands
both before the body and between the body and the stored result, where a late finisher must still be refused.
The tracer calls a class's own `__call__` where there is one, so it is set on each task's class: that reaches
tasks with another base class, and shared tasks, which a Task class of the app would miss.

Celery's own retry of a placed job counts as a failed attempt: attempts belong to the control plane.
"""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from celery import Celery, Task
from celery.exceptions import Ignore, Reject
from celery.signals import worker_init

from clients.claims import SOCKET_VARIABLE, AgentUnreachable, Claims
from clients.measuring import Meter
from clients.reporting import reporting

ATTEMPT_HEADER = "steelyard_attempt"
JOB_HEADER = "steelyard_job"
#: What bounds the body where the agent may, by resource: what the job itself says that it needs.
LIMITS_HEADER = "steelyard_limits"
#: The workers' remote command that ends the body of one attempt; its arguments are job and attempt (clients.stopping).
STOP_COMMAND = "steelyard_stop_attempt"
_SEEN = "steelyard_seen"
_GUARDED = "steelyard_guarded"


def install(app: Celery, socket_path: str | Path | None = None) -> Claims:
    """Guard every task of the app, those to come as well. Tasks become acks_late, or a claim could be lost.

    socket_path: the agent's worker.sock; None takes $STEELYARD_AGENT_SOCKET. Raises ValueError with neither.
    """
    path = socket_path or os.environ.get(SOCKET_VARIABLE)
    if not path:
        raise ValueError(f"give socket_path or set {SOCKET_VARIABLE}: the worker.sock of this host's agent")
    claims = Claims(path)

    def guard_all(sender: Any = None, **_: Any) -> None:
        for task in list(app.tasks.values()):
            _guard(task, claims)

    def obey(**_: Any) -> None:
        # Only a worker has, and needs, what this imports.
        importlib.import_module("clients.stopping")

    # Finalising binds what was declared so far; worker_init comes later, before any tracer is built,
    # and finds what was declared since.
    app.on_after_finalize.connect(guard_all, weak=False)
    worker_init.connect(guard_all, weak=False)
    worker_init.connect(obey, weak=False)
    if app.finalized:
        guard_all()
    return claims


def _guard(task: Task, claims: Claims) -> None:
    cls = type(task)
    task.acks_late = True
    if getattr(cls.__call__, _GUARDED, False):
        return
    own = cls.__call__ if cls.__call__ is not Task.__call__ else None

    @functools.wraps(cls.__call__)
    def call(self: Task, *args: Any, **kwargs: Any) -> Any:
        request = self.request
        if request.called_directly or getattr(request, _SEEN, False):
            # An ordinary call, also of a task by itself: no message, no job.
            return (own or Task.__call__)(self, *args, **kwargs)
        setattr(request, _SEEN, True)
        # The tracer has pushed the request already; Task.__call__ would hide it under an empty one.
        body = functools.partial(own, self) if own else self.run
        job = None if request.is_eager else read_job(request)
        if job is None:
            return body(*args, **kwargs)
        limits = _header(request, LIMITS_HEADER)
        return _run(claims, *job, limits or {}, functools.partial(body, *args, **kwargs))

    setattr(call, _GUARDED, True)
    cls.__call__ = call


def read_job(request: Any) -> tuple[str, int] | None:
    """The job and attempt that a message stands for, or None when it is no placed job."""
    attempt = _header(request, ATTEMPT_HEADER)
    if type(attempt) is not int:
        return None
    return str(_header(request, JOB_HEADER) or request.id), attempt


def _header(request: Any, name: str) -> Any:
    """Celery gives the headers of a message as they are, or as attributes of the request."""
    headers = request.headers if isinstance(request.headers, Mapping) else {}
    return headers.get(name, getattr(request, name, None))


def _run(claims: Claims, job: str, attempt: int, limits: Mapping[str, float], body: Callable[[], Any]) -> Any:
    """Claim, run, report. Raises Ignore where the attempt is not ours, Reject where nobody could be asked."""
    try:
        claim = claims.claim(job, attempt, limits)
        if not claim.accepted:
            raise Ignore(f"job {job} attempt {attempt} is not to run here: {claim.reason}")
        try:
            meter = Meter()
            try:
                with claims.held(job, attempt, limits), reporting(claims, job, attempt):
                    result = body()
            finally:
                used = meter.used()
        except Ignore:
            # The body says that it is done and leaves no result.
            end = claims.succeeded(job, attempt, None)
            if end.accepted:
                raise
        except Exception as error:
            end = claims.failed(job, attempt, f"{type(error).__name__}: {error}")
            if end.accepted:
                raise
        else:
            end = claims.succeeded(job, attempt, result, used)
            if end.accepted:
                return result
    except AgentUnreachable as error:
        raise Reject(str(error), requeue=True) from error
    # The attempt was given up meanwhile and another one counts: this result must not be stored.
    raise Ignore(f"job {job} attempt {attempt} ended too late: {end.reason}")


def queue_of(host: str) -> str:
    """The queue that the workers of a host consume."""
    return f"host.{host}"
