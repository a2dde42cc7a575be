"""The whole product with its hosts' workers at a RabbitMQ: workers are killed, the broker stops and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from product import Product
from waiting import eventually

from tests.with_servers import RabbitMQ, rabbitmq

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
ON_GAMMA = {"labels": {"zone": "b"}}
VARIABLE = "STEELYARD_WORKERS_BROKER"


@pytest.fixture(scope="module")
def rabbit() -> Iterator[RabbitMQ]:
    """A RabbitMQ of its own."""
    with rabbitmq() as server:
        yield server


@pytest.fixture
def moved(product: Product, rabbit: RabbitMQ) -> Iterator[Product]:
    """The product, its workers' broker a RabbitMQ; afterwards as it was."""
    was = move(product, rabbit.url)
    yield product
    move(product, was)


def move(product: Product, url: str) -> str:
    """Begin again with another broker for the workers; returns which it was."""
    was = product.environment.get(VARIABLE, "")
    product.down()
    product.environment[VARIABLE] = url
    product.up()
    for host in product.hosts.values():
        host.kill("worker")
        host.broker = product.place.broker_url.read_text()
        host.start_worker("prefork")
    product.settle()
    return was


def test_jobs_over_rabbitmq(moved: Product, rabbit: RabbitMQ, tmp_path: Path) -> None:
    """They run and end once; one whose worker is killed is run again; one that is cancelled ends; what lies in the
    broker's queues while it is stopped is run when it is back."""
    jobs = [moved.submit("stack.add", number, 1) for number in range(10)]
    assert [moved.ended(job)["result"]["sum"] for job in jobs] == list(range(1, 11))
    assert [moved.finishes(job) for job in jobs] == [1] * 10

    trace, flag = tmp_path / "trace", tmp_path / "go-on"
    killed = moved.submit("stack.wait", str(trace), str(flag), **ON_GAMMA)
    eventually(trace.exists)
    gamma = moved.hosts["gamma"]
    gamma.kill("worker")
    gamma.start_worker("prefork")
    gamma.until_working()
    eventually(lambda: moved.client.job(killed)["state"] == "running" and len(trace.read_text().split()) == 2)

    cancelled = moved.submit(
        "stack.wait", str(tmp_path / "other"), str(tmp_path / "never"), labels={"disk": "ssd"}
    )
    eventually((tmp_path / "other").exists)
    moved.client.post(f"jobs/{cancelled}/cancel/")
    # There is one process: nobody else could run it.
    assert moved.ended(moved.submit("stack.add", 1, 1, labels={"disk": "ssd"}))["state"] == "succeeded"

    queued = [moved.submit("stack.add", number, 1, **ON_GAMMA) for number in range(5)]
    eventually(lambda: moved.client.job(queued[0])["state"] == "dispatched")
    rabbit.stop()
    late = moved.submit("stack.add", 20, 1)
    rabbit.start()
    flag.touch()
    ended = [moved.ended(job, 90) for job in (killed, *queued, late)]

    assert [job["state"] for job in ended] == ["succeeded"] * 7
    assert (ended[0]["attempt"], ended[0]["losses"]) == (2, 1)
    assert [moved.finishes(job) for job in (killed, *queued, late)] == [1] * 7
    assert moved.drift() == {}
