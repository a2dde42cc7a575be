"""The broker of the hosts' workers: messages are put into their queues many at a time, and bodies are told to stop.

Redis and Valkey are written to as Kombu would keep messages there: sent through Kombu each would be a question of its
own, after several of what the queue is bound to, five times the work. Every other broker is Kombu's. RabbitMQ's
confirmations are waited for together, once for all messages of a batch.
A real worker reads from each in the tests.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import amqp
import redis
from celery import Celery
from django.conf import settings
from kombu import Connection, Producer, Queue
from kombu.exceptions import OperationalError

from clients.celery import STOP_COMMAND

TIMEOUT_S = 5.0
#: Brokers that are written to directly.
_LISTS = ("redis", "rediss")
_PERSISTENT = 2
_JSON, _UTF8 = "application/json", "utf-8"


@dataclass(frozen=True, slots=True)
class Message:
    """A message for the workers of a host. body: JSON. properties: AMQP's that go with it."""

    queue: str
    headers: dict[str, Any]
    properties: dict[str, str]
    body: bytes


#: Why messages were not taken, by their place in what was put.
Refused = dict[int, Exception]


class WorkersBroker:
    """One broker. Used by one thread at a time. Raises OperationalError where it is away: then nobody knows what was
    put, and putting it again is harmless."""

    def __init__(self, url: str) -> None:
        self._kombu = _Kombu(url)
        self._lists = _Lists(url) if urlsplit(url).scheme in _LISTS else None

    def put(self, messages: Sequence[Message]) -> Refused:
        """Put messages into their queues, in their order."""
        return (self._lists or self._kombu).put(messages)

    def stop(self, job: str) -> None:
        """End the body that runs for a job, wherever that is."""
        self._kombu.tell_all("revoke", {"task_id": job, "terminate": True, "signal": "SIGTERM"})

    def stop_attempt(self, job: str, attempt: int) -> None:
        """End the body of one attempt of a job, wherever that is; a later one's goes on."""
        self._kombu.tell_all(STOP_COMMAND, {"job": job, "attempt": attempt})

    def close(self) -> None:
        """Close the connections; they are opened again when they are needed."""
        self._kombu.close()
        if self._lists is not None:
            self._lists.close()


class _Lists:
    """Redis or Valkey: a list a queue, as Kombu's own transport has it."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)

    def put(self, messages: Sequence[Message]) -> Refused:
        of_queue: dict[str, list[int]] = defaultdict(list)
        for place, message in enumerate(messages):
            of_queue[message.queue].append(place)
        with (
            _as_operational((redis.ConnectionError, redis.TimeoutError)),
            self._client.pipeline(transaction=False) as pipe,
        ):
            for queue, these in of_queue.items():
                pipe.lpush(queue, *(_envelope(messages[place]) for place in these))
            answers = pipe.execute(raise_on_error=False)
        return {
            place: answer
            for these, answer in zip(of_queue.values(), answers, strict=True)
            if isinstance(answer, Exception)
            for place in these
        }

    def close(self) -> None:
        self._client.close()


class _Kombu:
    """Any broker that Kombu takes, by one connection."""

    def __init__(self, url: str) -> None:
        #: An application of its own: the control plane's may live at another broker.
        self._app = Celery("steelyard-workers", broker=url, set_as_current=False)
        self._app.conf.update(broker_connection_timeout=TIMEOUT_S, broker_transport_options=_timeouts(url))
        self._kept: Connection | None = None

    def put(self, messages: Sequence[Message]) -> Refused:
        if not messages:
            return {}
        with self._connection() as connection:
            return self._put(connection, dict(enumerate(messages)))

    def tell_all(self, method: str, arguments: dict[str, Any]) -> None:
        """Celery's remote control, which would itself ask a broker that is away again for ever."""
        exchange = self._app.control.mailbox.exchange
        with self._connection() as connection, connection.channel() as channel:
            Producer(channel, auto_declare=False).publish(
                {"method": method, "arguments": arguments, "destination": None},
                exchange=exchange.name,
                declare=[exchange],
                serializer="json",
                headers={"clock": self._app.clock.forward(), "expires": 0},
            )

    def close(self) -> None:
        if self._kept is not None:
            self._kept.release()
            self._kept = None

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        connection = self._kept = self._kept or self._app.connection_for_write()
        with _as_operational(connection.connection_errors):
            try:
                yield connection
            except connection.connection_errors:
                # Nobody knows what was under way on it.
                self._kept = None
                connection.collect()
                raise

    def _put(self, connection: Connection, messages: Mapping[int, Message]) -> Refused:
        try:
            sent = _Sent(connection, messages)
            return sent.refused | self._make_up_for(connection, sent.missed(), messages)
        except connection.channel_errors as error:
            # One of them, and the broker does not say which.
            if len(messages) == 1:
                return dict.fromkeys(messages, error)
            refused: Refused = {}
            for place, message in messages.items():
                refused |= self._put(connection, {place: message})
            return refused

    @staticmethod
    def _make_up_for(
        connection: Connection, missed: Sequence[int], messages: Mapping[int, Message]
    ) -> Refused:
        """Make the queues that no worker has made yet, and send what was for them."""
        why_not: dict[str, Exception] = {}
        for name in sorted({messages[place].queue for place in missed}):
            try:
                with connection.channel() as channel:
                    Queue(name, channel=channel).queue_declare()
            except connection.channel_errors as error:
                why_not[name] = error
        refused = {
            place: why_not[messages[place].queue] for place in missed if messages[place].queue in why_not
        }
        if rest := {place: messages[place] for place in missed if place not in refused}:
            again = _Sent(connection, rest)
            refused |= again.refused | dict.fromkeys(
                again.missed(), LookupError("its queue was deleted just now")
            )
        return refused


class _Sent:
    """Messages of one batch, sent, and what the broker said of them. Raises connection and channel errors."""

    def __init__(self, connection: Connection, messages: Mapping[int, Message]) -> None:
        self.refused: Refused = {}
        self._messages = messages
        #: Of messages that no confirmation came for yet, by what it will name: they are numbered as they are sent.
        self._unconfirmed: dict[int, int] = {}
        self._unrouted: set[str] = set()
        with connection.channel() as channel:
            confirms = isinstance(channel, amqp.Channel)
            if confirms:
                channel.events["basic_return"].add(self._returned)
                channel.events["basic_ack"].add(self._confirmed)
                channel.events["basic_nack"].add(self._nacked)
                channel.confirm_select()
            producer, number = Producer(channel, auto_declare=False), 0
            for place, message in messages.items():
                try:
                    _publish(producer, message)
                except connection.connection_errors:
                    raise
                except Exception as error:  # it can't be said in this broker's protocol
                    self.refused[place] = error
                else:
                    number += 1
                    self._unconfirmed[number] = place
            while confirms and self._unconfirmed:
                connection.drain_events(timeout=TIMEOUT_S)

    def missed(self) -> list[int]:
        """The messages whose queue was not there."""
        return [place for place, message in self._messages.items() if message.queue in self._unrouted]

    def _returned(self, error: Exception, exchange: str, routing_key: str, message: object) -> None:
        self._unrouted.add(routing_key)

    def _confirmed(self, number: int, multiple: bool) -> list[int]:
        these = [each for each in self._unconfirmed if each == number or (multiple and each < number)]
        return [self._unconfirmed.pop(each) for each in these]

    def _nacked(self, number: int, multiple: bool) -> None:
        why = amqp.exceptions.MessageNacked("the broker did not take it")
        self.refused |= dict.fromkeys(self._confirmed(number, multiple), why)


def _publish(producer: Producer, message: Message) -> None:
    """To the queue of its name, and back where there is none."""
    producer.publish(
        message.body,
        routing_key=message.queue,
        exchange="",
        headers=message.headers,
        content_type=_JSON,
        content_encoding=_UTF8,
        delivery_mode=_PERSISTENT,
        priority=0,
        mandatory=True,
        **message.properties,
    )


def _envelope(message: Message) -> bytes:
    """A message as Kombu keeps it in Redis."""
    kept = {
        "body": base64.b64encode(message.body).decode(),
        "content-encoding": _UTF8,
        "content-type": _JSON,
        "headers": message.headers,
        "properties": {
            **message.properties,
            "delivery_mode": _PERSISTENT,
            "delivery_info": {"exchange": "", "routing_key": message.queue},
            "delivery_tag": str(uuid.uuid4()),
            "body_encoding": "base64",
            "priority": 0,
        },
    }
    return json.dumps(kept).encode()


def _timeouts(url: str) -> dict[str, float]:
    """How each client calls the end of its patience."""
    names = {
        "redis": ("socket_timeout", "socket_connect_timeout"),
        "amqp": ("read_timeout", "write_timeout", "connect_timeout"),
    }
    of_scheme = names.get(urlsplit(url).scheme.removesuffix("s"), ())
    return dict.fromkeys(of_scheme, TIMEOUT_S)


@contextmanager
def _as_operational(errors: tuple[type[BaseException], ...]) -> Iterator[None]:
    """Of whatever a client raises where its broker is away, Kombu's own error."""
    try:
        yield
    except OperationalError:
        raise
    except errors as error:
        raise OperationalError(f"{type(error).__name__}: {error}") from error


_broker: WorkersBroker | None = None


def workers_url() -> str:
    """Where the hosts' workers take their messages."""
    return str(settings.STEELYARD_WORKERS_BROKER or settings.REDIS_URL)


def workers_broker() -> WorkersBroker:
    """This process's connection to it."""
    global _broker
    if _broker is None:
        _broker = WorkersBroker(workers_url())
    return _broker
