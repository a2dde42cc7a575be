"""Jobs that are processes of templates: who makes these, what agents are told, how an attempt goes."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from control_rig import agent
from django.conf import settings

from agents.templates import read
from console.accounts.models import Role
from console.actions import SYSTEM, Conflict, Invalid, Unknown
from console.events.models import Event, Outbox
from console.fleet.models import Command
from console.jobs.actions.attempt import Claim, Finish
from console.jobs.actions.ending import Cancel, Retry
from console.jobs.actions.place import PlaceWaiting
from console.jobs.actions.preempt import Preempt
from console.jobs.actions.reaping import OweAgain
from console.jobs.actions.schedules import PutSchedule
from console.jobs.actions.submit import Submit
from console.jobs.actions.templates import PutTemplate, RemoveTemplate
from console.jobs.models import Job, ProcessTemplate
from console.jobs.outbox import relay_outbox
from console.jobs.preemption import takings
from console.live.picture import picture

HOST = agent("web-1")
DUMP = {
    "argv": ["/usr/bin/dump", "{database}"],
    "parameters": {"database": {"type": "text", "pattern": "[a-z]+"}},
    "timeout_s": 60,
}
URL = "/api/v1/process-templates/"


@pytest.fixture
def dump(cluster: Any) -> ProcessTemplate:
    """A template, a host to run it on, and empty queues on the broker."""
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    cluster.add("web-1")
    return PutTemplate("db_dump", DUMP, {"cpu": 0.5}).run(SYSTEM)


def submit(**more: Any) -> Job:
    return Submit(template="db_dump", parameters={"database": "shop"}, **more).run(SYSTEM)


def test_a_job_of_a_template_goes_as_any_other(dump: ProcessTemplate, cluster: Any) -> None:
    """Its demand is the template's; the agent is told, no worker is; claimed, it ends once."""
    job = submit()
    assert (job.state, job.task, job.demand, cluster.reserved("web-1")) == (
        "placed",
        "template.db_dump",
        {"cpu": 0.5},
        0.5,
    )

    assert relay_outbox() == 1

    told = Command.objects.get()
    assert (told.verb, told.host.name) == ("process.run", "web-1")
    assert told.args["template"] == {
        **DUMP,
        "name": "db_dump",
        "user": "",
        "environment": {},
        "output": "log",
    } | {"parameters": {"database": {"type": "text", "pattern": "[a-z]+", "least": None, "most": None}}}
    assert {name: told.args[name] for name in ("job", "attempt", "parameters", "demand")} == {
        "job": str(job.pk), "attempt": 1, "parameters": {"database": "shop"}, "demand": {"cpu": 0.5},
    }  # fmt: skip
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        assert client.llen("host.web-1") == 0
    assert Job.objects.get(pk=job.pk).state == "dispatched"
    assert Claim(str(job.pk), 1).run(HOST) == ""
    assert Finish(str(job.pk), 1, result={"exit": 0}).run(HOST) == ""
    assert (Job.objects.get(pk=job.pk).state, cluster.reserved("web-1")) == ("succeeded", 0.0)


def test_cancelling_tells_the_agent(dump: ProcessTemplate) -> None:
    """Of the run that is to be ended."""
    job = submit()
    relay_outbox()
    Claim(str(job.pk), 1).run(HOST)
    Cancel(job.pk).run(SYSTEM)
    relay_outbox()

    told = Command.objects.get(verb="process.stop")
    assert (told.host.name, told.args) == ("web-1", {"job": str(job.pk), "attempt": 1})


def test_a_preempted_process_is_ended_where_it_runs(dump: ProcessTemplate) -> None:
    """At once, and not only when it next asks for its lease; the attempt that comes after it goes on."""
    everything = {"cpu": picture.capacity("web-1")["cpu"]}
    job = submit(demand=everything, preemptible=True)
    relay_outbox()
    Claim(str(job.pk), 1).run(HOST)
    Submit("demo.add", demand=everything, priority=5).run(SYSTEM)
    PlaceWaiting().run(SYSTEM)
    (taking,) = takings()
    Preempt(taking).run(SYSTEM)

    relay_outbox()

    told = Command.objects.get(verb="process.stop")
    assert (told.host.name, told.args) == ("web-1", {"job": str(job.pk), "attempt": 1})
    assert not Outbox.objects.filter(sent_at=None).exists()


def test_an_attempt_that_nobody_began_is_told_again(dump: ProcessTemplate) -> None:
    """As a message is sent again."""
    submit()
    relay_outbox()
    Job.objects.update(dispatched_at="2020-01-01T00:00Z")

    assert OweAgain().run(SYSTEM) == 1
    assert relay_outbox() == 1
    assert Command.objects.filter(verb="process.run").count() == 2


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"template": "other"}, "template"), ({"parameters": {}}, "parameters.database"),
        ({"parameters": {"database": "Shop; rm"}}, "parameters.database"),
        ({"parameters": {"database": "a", "x": 1}}, "parameters.x"), ({"task": "demo.add"}, "template"),
        ({"args": [1]}, "template"), ({"message": {"headers": {}}}, "template"), ({"second_copy": True}, "second_copy"),
    ],
)  # fmt: skip
def test_what_is_no_run_of_the_template_is_not_kept(
    dump: ProcessTemplate, asked: dict[str, Any], field: str
) -> None:
    """With the field that is wrong."""
    with pytest.raises(Invalid) as refusal:
        Submit(**{"template": "db_dump", "parameters": {"database": "shop"}, **asked}).run(SYSTEM)

    assert refusal.value.field == field
    assert not Job.objects.exists()


def test_a_template_that_changed_holds_for_what_waits(dump: ProcessTemplate) -> None:
    """What does not fit it any more is put aside with the reason."""
    job = submit()
    PutTemplate("db_dump", {**DUMP, "parameters": {"database": {"type": "text", "pattern": "x"}}}).run(SYSTEM)

    assert relay_outbox() == 0
    assert "database: it does not match x" in Job.objects.get(pk=job.pk).waiting_for
    assert [1] == list(Outbox.objects.values_list("tries", flat=True))
    assert not Command.objects.exists()


def test_a_template_is_not_removed_while_a_job_may_need_it(dump: ProcessTemplate) -> None:
    """Afterwards it is, and its jobs can't be handed in anew."""
    job = submit()
    with pytest.raises(Conflict):
        RemoveTemplate("db_dump").run(SYSTEM)
    Cancel(job.pk).run(SYSTEM)
    again = Retry(job.pk).run(SYSTEM)
    Cancel(again.pk).run(SYSTEM)
    RemoveTemplate("db_dump").run(SYSTEM)

    assert (again.template, again.kwargs) == ("db_dump", {"database": "shop"})
    assert not ProcessTemplate.objects.exists()
    with pytest.raises(Unknown):
        RemoveTemplate("db_dump").run(SYSTEM)
    actions = ["template.put", "template.remove"]
    assert actions == list(
        Event.objects.filter(subject_kind="template").order_by("id").values_list("action", flat=True)
    )


def test_a_schedule_hands_in_a_template(dump: ProcessTemplate) -> None:
    """It is checked as any job when the schedule is put."""
    nightly = {"template": "db_dump", "parameters": {"database": "shop"}, "preemptible": True}
    PutSchedule("nightly", "0 3 * * *", nightly).run(SYSTEM)
    with pytest.raises(Invalid):
        PutSchedule("nightly", "0 3 * * *", {**nightly, "parameters": {}}).run(SYSTEM)


def test_templates_over_rest(dump: ProcessTemplate, api: Any) -> None:
    """Administrators make them, operators read them and hand in jobs; the line that allows one is said."""
    body = {"template": {**DUMP, "user": "backup"}, "demand": {"cpu": 1}}

    assert api.operator.put(f"{URL}copy/", body).status_code == 403
    made = api.admin.put(f"{URL}copy/", body)
    assert made.status_code == 200
    assert made.json()["line"] == read({**body["template"], "name": "copy"}).line()
    assert api.admin.put(f"{URL}copy/", {"template": {"argv": ["sh"]}}).json()["errors"][0]["field"] == "argv"
    assert ["copy", "db_dump"] == [each["name"] for each in api.operator.get(URL).json()]
    assert api.viewer.get(URL).status_code == 403
    job = api.operator.post("/api/v1/jobs/", {"template": "copy", "parameters": {"database": "shop"}})
    assert (job.status_code, job.json()["template"], job.json()["host"]) == (201, "copy", "web-1")
    assert api.admin.delete(f"{URL}copy/").status_code == 409
    assert api.operator.get(f"{URL}none/").status_code == 404
    assert PutTemplate.ROLE == RemoveTemplate.ROLE == Role.ADMIN
