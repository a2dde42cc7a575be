"""What is asked of a job, checked before anything is kept."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from agents.templates import WrongTemplate, argv_of
from balancer_core.load import MAX_PRIORITY
from balancer_core.placement import Load
from console.actions import Invalid, Unknown, is_storable
from console.jobs.actions.templates import template_called
from console.jobs.learning import demand_of
from console.jobs.models import DEFAULT_TENANT, Job
from console.jobs.queue import Waiting
from console.live.picture import picture
from console.policies.defaults import chosen

#: With the job's identity it must fit a load's name.
TASK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,149}")
TENANT_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")

#: Of arguments and message together, as JSON. What is larger belongs into a store, and its name here.
MOST_BYTES = 256 * 1024
MOST_TRIES = 100
MOST_BACKOFF_S = 86_400.0
#: Parts of an application's own message.
MESSAGE = ("headers", "properties", "embed")
#: Jobs that one may wait for.
MOST_NEEDS = 100


@dataclass
class Spec:
    """One job as it is asked for: a Celery task with args and kwargs, or a process of a template with parameters.

    demand: amounts by resource that one run needs; none: as learned from past runs of the task.
    policy: "" for the default that holds when it is placed. tenant: whose it is.
    priority: which of a tenant's jobs goes first. deadline: after it the job is not wanted any more.
    not_before: until then it waits. preemptible: jobs of a higher priority may take its room, and it begins anew.
    second_copy: it may run twice at the same time, so a run that takes long may be run beside itself.
    tries: how often its body may run and fail; between them it waits backoff_s, twice as long each time.
    after: jobs that must have succeeded before. message: of an application's own Celery message (clients.celery).
    identity: the job's id, where the caller has one already; request_key: a caller's own name for this request.
    With either, asking again gives the same job.
    """

    task: str = ""
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    demand: dict[str, float] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    policy: str = ""
    tenant: str = DEFAULT_TENANT
    priority: int = 0
    deadline: datetime | None = None
    not_before: datetime | None = None
    tries: int = 1
    backoff_s: float = 5.0
    preemptible: bool = False
    second_copy: bool = False
    after: list[uuid.UUID] = field(default_factory=list)
    message: dict[str, Any] | None = None
    identity: uuid.UUID | None = None
    request_key: str | None = None
    template: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.template:
            if self.task not in ("", task_of(self.template)) or self.args or self.message:
                raise Invalid("template", "both", "a job is a task or a process of a template")
            if self.second_copy:
                raise Invalid("second_copy", "not_possible", "a process of a template runs once at a time")
            self.task, self.kwargs = task_of(self.template), self.parameters

    def row(self, **more: Any) -> Job:
        """The job, checked and not written yet. Raises Invalid, and InvalidLoad where no cluster could be asked."""
        if self.template:
            self._fill_in()
        if learned := not self.demand:
            self.demand = demand_of(self.task)
        self._check()
        job = Job(
            id=self.identity or uuid.uuid4(),
            task=self.task,
            args=self.args,
            kwargs=self.kwargs,
            template=self.template,
            demand=self.demand,
            learned=learned,
            labels=self.labels,
            policy=self.policy,
            tenant=self.tenant,
            priority=self.priority,
            deadline=self.deadline,
            not_before=self.not_before,
            tries=self.tries,
            backoff_s=self.backoff_s,
            preemptible=self.preemptible,
            second_copy=self.second_copy,
            message=self.message,
            request_key=self.request_key,
            **more,
        )
        picture.check(load_of(job))
        return job

    def _fill_in(self) -> None:
        """What the template says of its runs, and whether these parameters are some."""
        try:
            template, demand = template_called(self.template)
            argv_of(template, self.parameters)
        except Unknown as error:
            raise Invalid("template", "unknown", str(error)) from None
        except WrongTemplate as error:
            raise Invalid(f"parameters.{error.field}", "invalid", error.reason) from None
        self.demand = self.demand or demand

    def is_of(self, job: Job) -> bool:
        """Whether an earlier job is what is asked for now."""
        return (job.task, job.args, job.kwargs, job.tenant, job.template) == (
            self.task, self.args, self.kwargs, self.tenant, self.template,
        )  # fmt: skip

    def _check(self) -> None:
        if not TASK_NAME.fullmatch(self.task):
            raise Invalid(
                "task", "invalid", "a task's name is letters, digits, _ and ., at most 150 characters"
            )
        check_tenant(self.tenant)
        for name in ("args", "kwargs", "message"):
            if not is_storable(getattr(self, name)):
                raise Invalid(name, "not-json", "NaN, infinity, NUL and half characters can't be kept")
        for name, part in (self.message or {}).items():
            if name not in MESSAGE or not isinstance(part, dict):
                reason = f"a message has {', '.join(MESSAGE)}, each with names and values"
                raise Invalid(f"message.{name[:80]}", "invalid", reason)
        size = len(json.dumps([self.args, self.kwargs, self.message]))
        if size > MOST_BYTES:
            reason = f"{size:,} bytes with kwargs; at most {MOST_BYTES:,}: keep the data in a store and name it here"
            raise Invalid("args", "too-large", reason)
        for name, value, least, most in (
            ("priority", self.priority, -MAX_PRIORITY, MAX_PRIORITY),
            ("tries", self.tries, 1, MOST_TRIES),
            ("backoff_s", self.backoff_s, 0.0, MOST_BACKOFF_S),
        ):
            if not least <= value <= most:
                raise Invalid(name, "out-of-range", f"from {least:,} to {most:,}")
        if self.deadline is not None and self.deadline < timezone.now() + timedelta(seconds=1):
            raise Invalid("deadline", "past", "it has passed already")
        if len(self.after) > MOST_NEEDS:
            raise Invalid(
                "after", "too-many", f"{len(self.after)} jobs; one waits for at most {MOST_NEEDS} others"
            )


def task_of(template: str) -> str:
    """By which name the runs of a template are learned from and listed."""
    return f"template.{template}"


def check_tenant(name: str, field_name: str = "tenant") -> None:
    """Raises Invalid for what can't be a tenant's name."""
    if not TENANT_NAME.fullmatch(name):
        reason = "a tenant's name is small letters, digits and . _ -, at most 63 characters"
        raise Invalid(field_name, "invalid", reason)


def load_of(job: Job | Waiting, without: frozenset[str] = frozenset()) -> Load:
    """The core's view of a job. without: hosts that are not to be asked. Raises InvalidLoad naming the field."""
    return Load(
        kind="job",
        name=f"{job.task}/{job.pk}",
        demand=job.demand,
        labels=job.labels,
        exclude_hosts=without,
        priority=job.priority,
        tenant=job.tenant,
        **chosen("job", job.policy, {}),
    )
