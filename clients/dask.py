"""Bodies of placed jobs on a Dask cluster of one's own.

    from clients.dask import on_dask

    @app.task
    @on_dask("tcp://scheduler:8786")
    def train(table): ...

The host's Celery worker stays the job's guard: it claims the attempt, renews its lease and says its end.
The body runs on the Dask worker that is named as the host is (`dask worker SCHEDULER --name HOST`), and on no other, so
that the room which was promised on a host is used on that host. Called outside of a placed job, it is the function.

When that Dask worker is gone the attempt fails, and is tried again as the job says; Dask would run it once more itself,
beside the next attempt. When the Celery worker's process ends, as cancelling makes it, its Dask client goes and with it
the task; a body that Dask has begun already runs on to its end in vain, for Dask ends no threads.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any, TypeVar

from celery import current_task
from distributed import CancelledError, Client, wait

from clients.celery import read_job

Body = TypeVar("Body", bound=Callable[..., Any])

#: Between looks whether the Dask worker is still there.
LOOK_S = 1.0
_QUEUE = "host."

#: By process and scheduler: a client does not go through a fork.
_clients: dict[tuple[int, str], Client] = {}


class DaskWorkerGone(Exception):
    """There is no Dask worker that is named as the host, or not any more; or the scheduler has begun anew."""


def on_dask(scheduler: str) -> Callable[[Body], Body]:
    """Run a task's body on the Dask worker of the host that the job was placed on. scheduler: its address.

    The task raises what the body raises, DaskWorkerGone, and OSError where the scheduler can't be reached.
    """

    def decorate(body: Body) -> Body:
        @functools.wraps(body)
        def run(*args: Any, **kwargs: Any) -> Any:
            job = read_job(current_task.request) if current_task else None
            if job is None:
                return body(*args, **kwargs)
            return _run(_client(scheduler), _host(), job, functools.partial(body, *args, **kwargs))

        return run  # type: ignore[return-value]

    return decorate


def _run(client: Client, host: str, job: tuple[str, int], body: Callable[[], Any]) -> Any:
    address = _address(client, host)
    if address is None:
        raise DaskWorkerGone(f"no Dask worker is called {host}")
    future = client.submit(
        body,
        key=f"steelyard-{job[0]}-{job[1]}",
        # Its address, for a worker that was started again has the name as well.
        workers=[address],
        allow_other_workers=False,
        pure=False,
        retries=0,
    )
    try:
        while True:
            try:
                with client.as_current():
                    wait(future, timeout=LOOK_S)  # type: ignore[no-untyped-call]
            except TimeoutError:
                if _address(client, host) != address:
                    raise DaskWorkerGone(f"the Dask worker of {host} is gone") from None
            else:
                return future.result()
    except CancelledError as error:
        raise DaskWorkerGone(f"the scheduler has forgotten the task: {error}") from None
    finally:
        future.cancel()  # type: ignore[no-untyped-call]


def _client(scheduler: str) -> Client:
    place = (os.getpid(), scheduler)
    if place not in _clients or _clients[place].status == "closed":
        _clients[place] = Client(scheduler, set_as_default=False)  # type: ignore[no-untyped-call]
    return _clients[place]


def _address(client: Client, name: str) -> str | None:
    workers = client.scheduler_info(n_workers=-1)["workers"]
    return next((address for address, each in workers.items() if each["name"] == name), None)


def _host() -> str:
    """Of the queue that the job's message came by."""
    return str(current_task.request.delivery_info["routing_key"]).removeprefix(_QUEUE)
