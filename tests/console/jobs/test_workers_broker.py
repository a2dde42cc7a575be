"""Messages to hosts' workers on real brokers: a Redis or Valkey, a RabbitMQ."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery import Celery
from django.utils import timezone
from kombu import Connection, Queue
from kombu.exceptions import OperationalError

from console.actions import SYSTEM
from console.events.models import Outbox
from console.jobs import broker as brokers
from console.jobs.actions.submit import Submit
from console.jobs.broker import Message, WorkersBroker, workers_url
from console.jobs.models import Job
from console.jobs.outbox import relay_outbox
from console.underway.sources import OWED_S, owed
from tests.with_servers import RabbitMQ, rabbitmq

pytestmark = pytest.mark.timeout(300)

Opened = Callable[[str], WorkersBroker]


@pytest.fixture(scope="module")
def rabbit() -> Iterator[RabbitMQ]:
    """A RabbitMQ of its own."""
    with rabbitmq() as server:
        yield server


@pytest.fixture(params=["redis", "rabbitmq"])
def url(request: pytest.FixtureRequest) -> str:
    """Each broker in turn."""
    return str(
        request.getfixturevalue("rabbit").url
        if request.param == "rabbitmq"
        else request.getfixturevalue("broker")
    )


@pytest.fixture
def opened() -> Iterator[Opened]:
    """opened(url): a connection to the broker there, closed after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda url: stack.enter_context(contextlib.closing(WorkersBroker(url)))


@pytest.fixture
def queue() -> str:
    """A queue's name that nobody has used."""
    return f"host.{uuid.uuid4().hex[:12]}"


def message(queue: str, number: int = 0, **headers: Any) -> Message:
    return Message(
        queue, {"number": number, **headers}, {"correlation_id": "c"}, json.dumps([number]).encode()
    )


def taken(url: str, queue: str) -> list[Any]:
    """The messages in the queue, as Kombu reads them; they are gone then."""
    found = []
    with (
        Connection(url) as connection,
        connection.SimpleQueue(Queue(queue)) as waiting,
        contextlib.suppress(waiting.Empty),
    ):
        while True:
            found.append(waiting.get(block=False))
            found[-1].ack()
    return found


def test_messages_are_read_as_they_were_put(url: str, queue: str, opened: Opened) -> None:
    """In their order, into queues that nobody made before, and again; with all that goes with them."""
    one = opened(url)
    other = f"{queue}.other"

    refused = one.put(
        [message((queue, other)[number % 2], number, none=None, many=[None, 1.5]) for number in range(20)]
    )
    again = one.put([message(queue, 20)])

    assert (refused, again, one.put([])) == ({}, {}, {})
    found = taken(url, queue)
    assert [each.payload for each in found] == [[number] for number in range(0, 22, 2)]
    assert found[0].headers == {"number": 0, "none": None, "many": [None, 1.5]}
    assert (found[0].properties["correlation_id"], found[0].properties["delivery_mode"]) == ("c", 2)
    assert len(taken(url, other)) == 10


def test_a_body_is_told_to_stop(url: str, opened: Opened) -> None:
    """As Celery's own remote control tells it."""
    one = opened(url)
    app, heard = Celery("listener", broker=url, set_as_current=False), []
    with app.connection_for_read() as connection:
        node = app.control.mailbox.Node("one", channel=connection.default_channel)
        node.handlers["revoke"] = lambda state, **said: heard.append(said)
        with node.listen():
            # Redis subscribes with the first look only, and what is said before that nobody hears.
            while not heard:
                one.stop("some-job")
                with contextlib.suppress(TimeoutError):
                    connection.drain_events(timeout=1)

    assert heard[:1] == [{"task_id": "some-job", "terminate": True, "signal": "SIGTERM"}]


def test_what_rabbitmq_does_not_take_is_said_of_each_message(
    rabbit: RabbitMQ, queue: str, opened: Opened
) -> None:
    """A queue that is full, a queue that nobody may write to, a header that the protocol can't say; others are sent."""
    full = f"{queue}.full"
    with Connection(rabbit.url) as connection:
        limits = {"x-max-length": 1, "x-overflow": "reject-publish"}
        Queue(full, queue_arguments=limits, channel=connection.default_channel).queue_declare()
    said = [
        message(full),
        message(queue, 1),
        message(full),
        message(queue, 2, size=2**80),
        message("amq.own", 3),
    ]

    refused = opened(rabbit.url).put(said)

    assert refused.keys() == {2, 3, 4}
    assert "did not take it" in str(refused[2])
    assert isinstance(refused[3], Exception)
    assert "ACCESS_REFUSED" in str(refused[4])
    assert 1 <= len([each for each in taken(rabbit.url, queue) if each.payload == [1]])


def test_a_broker_that_is_away_is_said_once_for_all(rabbit: RabbitMQ, queue: str, opened: Opened) -> None:
    """And once it is back it has what it confirmed before it was stopped."""
    one = opened(rabbit.url)
    assert one.put([message(queue, 1)]) == {}
    one.stop("some-job")

    rabbit.stop()
    for _ in range(2):
        with pytest.raises(OperationalError):
            one.put([message(queue, 2)])
        with pytest.raises(OperationalError):
            one.stop("some-job")
    rabbit.start()

    assert one.put([message(queue, 3)]) == {}
    assert [[1], [3]] == [each.payload for each in taken(rabbit.url, queue)]


def test_jobs_are_owed_to_workers_at_another_broker(
    cluster: Any, settings: Any, rabbit: RabbitMQ, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control plane keeps its own; while the workers' is away the messages stay owed."""
    settings.STEELYARD_WORKERS_BROKER = rabbit.url
    monkeypatch.setattr(brokers, "_broker", opened(rabbit.url))
    cluster.add("web-1")
    job = Submit("demo.add", args=[1, 2], demand={"cpu": 1.0}).run(SYSTEM)

    rabbit.stop()
    with pytest.raises(OperationalError):
        relay_outbox()
    assert Job.objects.get(pk=job.pk).state == "placed"
    assert list(owed()) == []
    Outbox.objects.update(created_at=timezone.now() - timedelta(seconds=OWED_S + 1))
    assert [task.title for task in owed()] == ["Messages to workers do not go out"]
    rabbit.start()
    assert relay_outbox() == 1
    assert list(owed()) == []

    assert Job.objects.get(pk=job.pk).state == "dispatched"
    (found,) = taken(workers_url(), "host.web-1")
    assert (found.headers["task"], found.headers["id"]) == ("demo.add", str(job.pk))
    assert found.payload[0] == [1, 2]
