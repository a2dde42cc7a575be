"""An application that sends its own Celery tasks through the router."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from celery import Celery
from product import Product, refused

from clients.celery import HostQueueRouter

pytestmark = pytest.mark.stack


@pytest.fixture
def application(product: Product) -> Iterator[Celery]:
    """A real application whose tasks are placed by the product; it has no code of the tasks."""
    app = Celery("application", broker=product.place.broker_url.read_text())
    demands = {"stack.add": {"cpu": 0.01, "memory": 2**20}, "stack.fail": {"cpu": 5000}}
    app.conf.update(task_serializer="json", task_routes=(HostQueueRouter(product.client, demands),))
    yield app
    app.close()


def test_a_task_sent_through_the_router_runs_where_it_is_placed(
    product: Product, application: Celery
) -> None:
    """It is a job before it is a message; its worker claims it, and its end is the job's."""
    for number in range(5):
        application.send_task("stack.add", args=[number, 1000], ignore_result=True)
    jobs = [each for each in product.client.jobs(task="stack.add")["results"] if each["args"][1:] == [1000]]
    ended = [product.ended(job["id"]) for job in jobs]

    assert sorted(job["args"][0] for job in ended) == [0, 1, 2, 3, 4]
    assert {job["state"] for job in ended} == {"succeeded"}
    assert [job["result"] for job in ended] == [
        {"sum": job["args"][0] + 1000, "host": job["host"]} for job in ended
    ]
    assert {job["attempt"] for job in ended} == {1}


def test_a_task_that_fits_nowhere_is_not_sent(product: Product, application: Celery) -> None:
    """The application is told at once, and no job waits for a message that never comes."""
    problem = refused(lambda: application.send_task("stack.fail", args=["never"], ignore_result=True))
    jobs = [each for each in product.client.jobs(task="stack.fail")["results"] if each["args"] == ["never"]]

    assert problem.status == 409
    assert [job["state"] for job in jobs] == ["cancelled"]
