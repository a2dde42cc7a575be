"""An application that has its own Celery tasks placed, by one line."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from celery import Celery
from product import Product
from waiting import eventually

from clients.sending import place_tasks

pytestmark = pytest.mark.stack


@pytest.fixture
def application(product: Product) -> Iterator[Celery]:
    """A real application whose tasks are placed by the product; it has no code of the tasks."""
    app = Celery("application", broker=product.place.broker_url.read_text())
    app.conf.update(task_serializer="json")
    place_tasks(
        app,
        product.client,
        {"stack.add": {"cpu": 0.01, "memory": 2**20}, "stack.fail": {"cpu": 5000}},
        tenant="app",
    )
    yield app
    app.close()


def test_a_task_runs_where_it_is_placed(product: Product, application: Celery) -> None:
    """It is a job before it is a message; its worker claims it, its end is the job's, and what it links to is sent."""
    for number in range(5):
        application.send_task("stack.add", args=[number, 1000], ignore_result=True)
    link = application.signature("stack.add", args=(1, 2000), immutable=True)
    linking = application.send_task("stack.add", args=[6, 1000], ignore_result=True, link=link)
    jobs = [each for each in product.client.jobs(tenant="app")["results"] if each["args"][1:] == [1000]]
    ended = [product.ended(job["id"]) for job in jobs]

    assert sorted(job["args"][0] for job in ended) == [0, 1, 2, 3, 4, 6]
    assert linking.id in {job["id"] for job in ended}
    assert {job["state"] for job in ended} == {"succeeded"}
    assert [job["result"] for job in ended] == [
        {"sum": job["args"][0] + 1000, "host": job["host"]} for job in ended
    ]
    assert {job["attempt"] for job in ended} == {1}
    assert all(job["used"]["seconds"] > 0 for job in ended)


def test_a_task_that_fits_nowhere_waits_and_says_why(product: Product, application: Celery) -> None:
    """It is in the queue, where it can be seen and cancelled, and in nobody's way."""
    task = application.send_task("stack.fail", args=["never"], ignore_result=True)
    waiting = product.client.job(task.id)

    assert (waiting["state"], waiting["tenant"]) == ("queued", "app")
    eventually(lambda: "cpu" in product.client.job(task.id)["waiting_for"])
    assert product.ended(product.submit("stack.add", 1, 1))["state"] == "succeeded"
    assert product.client.post(f"jobs/{task.id}/cancel/")["state"] == "cancelled"
