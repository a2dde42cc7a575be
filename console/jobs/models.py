"""Jobs: Celery tasks and processes, which the core places and the chosen host runs; whose they are; what they need."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q
from django.db.models.lookups import IsNull

from console.placements.models import Placement

#: Whose a job is that names no tenant.
DEFAULT_TENANT = "default"


class Job(models.Model):
    """One task. This row is the truth; Celery's message only tells a worker to come and claim it.

    template: of a job that an agent runs as a process; its parameters are kwargs, and no message is sent.

    learned: whether demand is what past runs of the task used; what the job says itself bounds its body.
    attempt counts placements of this job: a claim or a result of an older attempt is refused.
    tries: how often its body may run and fail. failures, losses: how often it did, and how often its worker was lost.
    message: what of an application's own Celery message goes with it (clients.celery); None of a job handed in here.
    preemptible: whether jobs of a higher priority may take its room; preemptions: how often they did.
    second_copy: whether a run that takes long may be run a second time beside itself; copy_attempt: the number that
    such a copy of the present attempt was given (SecondCopy), also after it ended.
    array, position: the jobs that were handed in as one array share its id.
    used: what the run that succeeded used, by resource, and its seconds; None where nobody measured.
    """

    class State(models.TextChoices):
        BLOCKED = "blocked"
        QUEUED = "queued"
        PLACED = "placed"
        DISPATCHED = "dispatched"
        RUNNING = "running"
        SET_ASIDE = "set_aside"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"

    #: A host has it, and its agent or the broker knows of it.
    ON_HOST = (State.PLACED, State.DISPATCHED, State.RUNNING)
    ENDED = (State.SUCCEEDED, State.FAILED, State.CANCELLED)
    #: All others, by name: indices begin with the state, and who asks for what is not ended reads all that has.
    UNENDED = (State.BLOCKED, State.QUEUED, *ON_HOST, State.SET_ASIDE)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    task = models.CharField(max_length=200)
    args = models.JSONField(default=list)
    kwargs = models.JSONField(default=dict)
    template = models.CharField(max_length=63, blank=True)
    demand = models.JSONField()
    learned = models.BooleanField(default=False)
    labels = models.JSONField(default=dict)
    policy = models.CharField(max_length=64)
    tenant = models.CharField(max_length=63, default=DEFAULT_TENANT)
    priority = models.IntegerField(default=0)
    deadline = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=1)
    backoff_s = models.FloatField(default=5.0)
    message = models.JSONField(null=True)
    array = models.UUIDField(null=True)
    position = models.PositiveIntegerField(null=True)
    schedule = models.CharField(max_length=63, blank=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.QUEUED)
    attempt = models.PositiveIntegerField(default=0)
    failures = models.PositiveSmallIntegerField(default=0)
    losses = models.PositiveSmallIntegerField(default=0)
    preemptible = models.BooleanField(default=False)
    preemptions = models.PositiveSmallIntegerField(default=0)
    second_copy = models.BooleanField(default=False)
    copy_attempt = models.PositiveIntegerField(null=True)
    not_before = models.DateTimeField(null=True)
    placement = models.ForeignKey(Placement, null=True, on_delete=models.SET_NULL, related_name="jobs")
    result = models.JSONField(null=True)
    error = models.TextField(blank=True)
    waiting_for = models.TextField(blank=True)
    # The host that had it and did not begin it, and when it was taken back.
    taken_from = models.CharField(max_length=63, blank=True)
    taken_at = models.DateTimeField(null=True)
    progress = models.FloatField(null=True)
    note = models.CharField(max_length=200, blank=True)
    used = models.JSONField(null=True)
    request_key = models.CharField(max_length=128, null=True, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    dispatched_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            # The queue in its order; and the jobs in one state, for whoever asks for them. Not of queued ones only:
            # SQLite takes no index with a condition on what a statement gives as a parameter.
            models.Index(
                F("state"),
                F("tenant"),
                F("priority").desc(),
                IsNull(F("deadline"), True),
                F("deadline"),
                F("created_at"),
                F("id"),
                # Who may not go yet is passed over without looking at its row.
                F("not_before"),
                name="job_line",
            ),
            models.Index(fields=["-created_at"], name="job_newest"),
            models.Index(fields=["state", "-created_at"], name="job_newest_in_state"),
            models.Index(fields=["ended_at"], condition=Q(ended_at__isnull=False), name="job_ended"),
            models.Index(fields=["array"], condition=Q(array__isnull=False), name="job_array"),
            models.Index(fields=["taken_at"], condition=Q(taken_at__isnull=False), name="job_taken"),
            models.Index(fields=["started_at"], condition=Q(started_at__isnull=False), name="job_started"),
            models.Index(fields=["deadline"], condition=Q(deadline__isnull=False), name="job_deadline"),
            models.Index(fields=["state", "priority"], condition=Q(preemptible=True), name="job_preemptible"),
            models.Index(fields=["state", "started_at"], condition=Q(second_copy=True), name="job_copied"),
            models.Index(
                fields=["task", "-ended_at"], condition=Q(used__isnull=False), name="job_learned_from"
            ),
        ]


class Need(models.Model):
    """A job that waits until another has succeeded."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="needs")
    needed = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="needed_by")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "needed"], name="need_once")]


class Preemption(models.Model):
    """An attempt of a job that ended because a job of a higher priority took its room; reason says why it might.

    by: None once that job is forgotten; the reason still names it.
    """

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="preempted")
    attempt = models.PositiveIntegerField()
    placement = models.OneToOneField(
        Placement, null=True, on_delete=models.SET_NULL, related_name="preempted"
    )
    by = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="preempted_others")
    host = models.CharField(max_length=63)
    reason = models.TextField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-at"]


class SecondCopy(models.Model):
    """A copy of an attempt, on another host, because that took much longer than its task's runs do (why says by how
    much). What ends first is the job's end; outcome says what became of the copy, "" while it has not ended.
    """

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="copies")
    attempt = models.PositiveIntegerField()
    placement = models.OneToOneField(Placement, null=True, on_delete=models.SET_NULL, related_name="copy")
    host = models.CharField(max_length=63)
    why = models.TextField()
    outcome = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["job", "attempt"], name="copy_once")]
        indexes = [models.Index(fields=["created_at"], condition=Q(ended_at__isnull=True), name="copy_live")]


class JobLog(models.Model):
    """The last lines that a job's body logged."""

    job = models.OneToOneField(Job, on_delete=models.CASCADE, primary_key=True, related_name="log")
    text = models.TextField(blank=True)


class Tenant(models.Model):
    """Who shares the cluster, where it is not as everybody: weight 1 and no quota.

    quota: the most that its jobs hold together, by resource. bursts: whether they may hold more while no other
    tenant's jobs wait. preempts: of whose preemptible jobs its own of a higher priority may take the room.
    """

    class Preempts(models.TextChoices):
        NONE = "none"
        OWN = "own"
        OTHERS = "others"

    name = models.CharField(max_length=63, primary_key=True)
    weight = models.FloatField(default=1.0)
    quota = models.JSONField(default=dict)
    bursts = models.BooleanField(default=False)
    # Priorities are a tenant's own word: what they may do to others' jobs somebody else has to say.
    preempts = models.CharField(max_length=8, choices=Preempts.choices, default=Preempts.OWN)

    class Meta:
        ordering = ["name"]


class SharesSeen(models.Model):
    """How tenants' shares stood in one minute (shares_past): name to [share, fair part, share that the quota allows or
    None, weight, dominant resource]."""

    at = models.DateTimeField(primary_key=True)
    tenants = models.JSONField()

    class Meta:
        ordering = ["at"]


class Schedule(models.Model):
    """A job that is handed in again and again, at the minutes that a cron expression names (UTC).

    request: the job, as Submit takes it. overlaps: whether it is handed in while the last one has not ended.
    catches_up: whether a run that was missed is made once when it is noticed; never more than one.
    """

    name = models.CharField(max_length=63, primary_key=True)
    cron = models.CharField(max_length=100)
    request = models.JSONField()
    paused = models.BooleanField(default=False)
    overlaps = models.BooleanField(default=False)
    catches_up = models.BooleanField(default=True)
    next_at = models.DateTimeField()
    last_at = models.DateTimeField(null=True)
    last_job = models.UUIDField(null=True)

    class Meta:
        ordering = ["name"]


class TaskProfile(models.Model):
    """What runs of one task were seen to use: demand is what the next one is given where nobody says.

    runs: how many were looked at. seconds: the median run. late_s: what 19 of 20 took less than; 0 where it was learned
    before anybody asked.
    """

    task = models.CharField(max_length=200, primary_key=True)
    demand = models.JSONField()
    runs = models.PositiveIntegerField()
    seconds = models.FloatField()
    late_s = models.FloatField(default=0.0)
    learned_at = models.DateTimeField()

    class Meta:
        ordering = ["task"]


class ProcessTemplate(models.Model):
    """A process that jobs may have run on hosts; document: as agents.templates.Template has it. demand: what a run
    needs, by resource; none: as learned from its runs."""

    name = models.CharField(max_length=63, primary_key=True)
    document = models.JSONField()
    demand = models.JSONField(default=dict)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]
