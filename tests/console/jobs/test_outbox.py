"""Messages of jobs: owed with the placement, sent by the relay, whatever breaks in between."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
import redis
from attempts_rig import at, messages, state, submit
from control_rig import agent
from django.conf import settings
from django.utils import timezone

from console.actions import SYSTEM
from console.events.models import Outbox
from console.jobs.actions.attempt import Claim
from console.jobs.actions.ending import Cancel, Retry
from console.jobs.actions.reaping import RESEND_S, OweAgain
from console.jobs.actions.submit import Submit
from console.jobs.models import Job
from console.jobs.outbox import relay_outbox

HOST = agent("web-1")


def test_the_relay_puts_the_message_into_the_hosts_queue(host: Any) -> None:
    """With the job as its identity and the attempt in its headers; the row is sent, the job dispatched."""
    job = submit()

    assert relay_outbox() == 1

    (message,) = messages()
    assert (str(job.pk), "demo.add", 1) == (
        message["headers"]["id"], message["headers"]["task"], message["headers"]["steelyard_attempt"]
    )  # fmt: skip
    assert state(job) == "dispatched"
    assert relay_outbox() == 0
    assert len(messages()) == 1


def test_only_what_a_job_says_itself_bounds_its_body(host: Any) -> None:
    """What was learned, or guessed, is what some runs exceed; also where such a job is handed in anew."""
    said = Submit("demo.add", demand={"cpu": 0.5, "memory": 2.0**20, "disk": 8.0}).run(SYSTEM)
    left_out = Submit("demo.add").run(SYSTEM)
    relay_outbox()

    limits = {each["headers"]["id"]: each["headers"]["steelyard_limits"] for each in messages()}

    assert limits == {str(said.pk): {"cpu": 0.5, "memory": 2.0**20}, str(left_out.pk): {}}
    Cancel(left_out.pk).run(SYSTEM)
    Cancel(said.pk).run(SYSTEM)
    assert [Retry(each.pk).run(SYSTEM).learned for each in (left_out, said)] == [True, False]


def test_an_applications_own_message_goes_with_its_job(host: Any) -> None:
    """Callbacks, limits and who waits for the result; but which job and task it is says the row."""
    headers = {
        "own": "x",
        "timelimit": [9, None],
        "task": "demo.other",
        "id": "other",
        "steelyard_job": "other",
    }
    properties = {"reply_to": "me", "exchange": "elsewhere", "priority": 9}
    message = {"headers": headers, "properties": properties, "embed": {"callbacks": [{"task": "demo.next"}]}}
    job = submit(message=message)
    assert relay_outbox() == 1

    (sent,) = messages()
    said = {name: sent["headers"][name] for name in headers}
    assert said == {
        "own": "x", "timelimit": [9, None], "task": "demo.add", "id": str(job.pk), "steelyard_job": str(job.pk),
    }  # fmt: skip
    assert sent["properties"]["reply_to"] == "me"
    args, _, embed = json.loads(base64.b64decode(sent["body"]))
    assert (args, embed["callbacks"]) == ([1, 2], [{"task": "demo.next"}])

    Cancel(job.pk).run(SYSTEM)
    assert Retry(job.pk).run(SYSTEM).message == message


def test_a_crash_between_sending_and_marking_sends_twice_and_harms_nothing(
    host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message comes again; of the two claims that follow one counts."""
    job = submit()

    class Killed(BaseException):
        pass

    from console.jobs import outbox

    def die(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "mark_dispatched", die)
        with pytest.raises(Killed):
            relay_outbox()
    assert (state(job), Outbox.objects.filter(sent_at=None).count()) == ("placed", 1)

    assert relay_outbox() == 1

    assert len(messages()) == 2
    assert [Claim(*at(job)).run(HOST) for _ in range(2)] == ["", "this job is running"]


def test_a_message_of_an_attempt_that_is_over_is_not_sent(host: Any) -> None:
    """Cancelled before the relay came by."""
    job = submit()
    Cancel(job.pk).run(SYSTEM)

    assert relay_outbox() == 1
    assert messages() == []


def test_a_message_that_cannot_be_sent_holds_up_no_other(host: Any, cluster: Any) -> None:
    """It is put aside with the reason, which its job shows, and tried again later."""
    cluster.add("web-2", {"zone": "b"})
    blocked = submit(labels={}, request_key="blocked")
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.set("host.web-1", "no queue")
    assert blocked.placement.host.name == "web-1"
    Outbox.objects.create(topic="job.dispatch", payload={"attempt": "none"})
    other = Submit("demo.add", args=[1, 2], demand={"cpu": 7.5}).run(SYSTEM)
    assert other.placement.host.name == "web-2"

    assert relay_outbox() == 1

    assert [str(other.pk)] == [each["headers"]["id"] for each in messages("web-2")]
    assert (state(blocked), state(other)) == ("placed", "dispatched")
    assert "Its message can't be sent: " in Job.objects.get(pk=blocked.pk).waiting_for
    aside = Outbox.objects.filter(sent_at=None)
    assert [1, 1] == [row.tries for row in aside]
    assert all(row.error and row.not_before > timezone.now() for row in aside)
    assert relay_outbox() == 0

    redis.Redis.from_url(settings.REDIS_URL).delete("host.web-1")
    aside.update(not_before=timezone.now())
    assert relay_outbox() == 1
    assert (state(blocked), Job.objects.get(pk=blocked.pk).waiting_for) == ("dispatched", "")
    assert [2] == list(aside.values_list("tries", flat=True))


def test_a_message_that_the_broker_lost_is_owed_again(host: Any) -> None:
    """After RESEND_S without a claim; at once when the broker was away since; not for claimed attempts."""
    job = submit()
    relay_outbox()
    assert OweAgain().run(SYSTEM) == 0
    assert OweAgain(timezone.now()).run(SYSTEM) == 1
    assert OweAgain().run(SYSTEM) == 0
    Job.objects.update(dispatched_at=timezone.now() - timedelta(seconds=RESEND_S + 1))

    assert OweAgain().run(SYSTEM) == 1
    assert relay_outbox() == 2
    assert len(messages()) == 3
    Claim(*at(job)).run(HOST)
    Job.objects.update(dispatched_at=timezone.now() - timedelta(seconds=RESEND_S + 1))
    assert OweAgain().run(SYSTEM) == 0
