"""Jobs over REST."""

from __future__ import annotations

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from balancer_core.load import MAX_PRIORITY
from console.accounts.permissions import Operator, ReadOrOperate, Viewer
from console.api.strict import StrictSerializer
from console.api.views import ActionView, find, idempotency_key
from console.jobs.actions.ending import Cancel
from console.jobs.actions.submit import MOST_AT_ONCE, Submit, SubmitMany
from console.jobs.listing import JOBS
from console.jobs.models import DEFAULT_TENANT, Job, JobLog, Preemption, SecondCopy
from console.jobs.spec import MOST_BACKOFF_S, MOST_NEEDS, MOST_TRIES, Spec
from console.jobs.standing import turn_of
from console.live.picture import picture


class JobRequest(StrictSerializer):
    task = serializers.CharField(
        max_length=150, default="", help_text="The Celery task's name; left out where a template is named."
    )
    template = serializers.CharField(
        max_length=63, default="", help_text="Of the process that an agent runs, instead of a task."
    )
    parameters = serializers.DictField(default=dict, help_text="What the template asks for.")
    args = serializers.ListField(default=list)
    kwargs = serializers.DictField(default=dict)
    demand = serializers.DictField(
        child=serializers.FloatField(),
        default=dict,
        help_text="What one run needs. Left out: as learned from past runs of the task.",
    )
    labels = serializers.DictField(child=serializers.CharField(max_length=100), default=dict)
    policy = serializers.CharField(
        max_length=64, allow_blank=True, default="", help_text="Left out: the default when it is placed."
    )
    tenant = serializers.CharField(
        max_length=63, default=DEFAULT_TENANT, help_text="Whose it is; tenants share fairly."
    )
    priority = serializers.IntegerField(
        min_value=-MAX_PRIORITY,
        max_value=MAX_PRIORITY,
        default=0,
        help_text="Of a tenant's jobs the highest goes first.",
    )
    deadline = serializers.DateTimeField(
        allow_null=True, default=None, help_text="After it the job is not wanted any more."
    )
    not_before = serializers.DateTimeField(allow_null=True, default=None, help_text="Until then it waits.")
    tries = serializers.IntegerField(
        min_value=1, max_value=MOST_TRIES, default=1, help_text="How often its body may run and fail."
    )
    backoff_s = serializers.FloatField(
        min_value=0,
        max_value=MOST_BACKOFF_S,
        default=5.0,
        help_text="Before the second try; then twice as long.",
    )
    preemptible = serializers.BooleanField(
        default=False, help_text="Jobs of a higher priority may take its room; it then begins anew."
    )
    second_copy = serializers.BooleanField(
        default=False,
        help_text="It may run twice at the same time: a run that takes long may be run on another host beside itself.",
    )
    after = serializers.ListField(
        child=serializers.UUIDField(),
        default=list,
        max_length=MOST_NEEDS,
        help_text="Jobs that must have succeeded before.",
    )
    id = serializers.UUIDField(
        allow_null=True, default=None, help_text="Its id; asking again with it gives the same job."
    )
    message = serializers.DictField(
        allow_null=True, default=None, help_text="What of an application's own Celery message goes with it."
    )

    def spec(self) -> dict[str, Any]:
        """As Spec takes it, of what was validated."""
        return spec_of(self.validated_data)


def spec_of(asked: dict[str, Any]) -> dict[str, Any]:
    """A JobRequest's fields as those of Spec."""
    return {{"id": "identity"}.get(name, name): value for name, value in asked.items()}


class JobsRequest(StrictSerializer):
    jobs = serializers.ListField(
        child=JobRequest(), min_length=1, max_length=MOST_AT_ONCE, help_text="All are kept, or none."
    )
    array = serializers.BooleanField(default=False, help_text="They are one array, in this order.")


class JobShown(serializers.ModelSerializer):
    attempt = serializers.IntegerField()  # else the schema would say what the database at hand can count to
    failures = serializers.IntegerField()
    losses = serializers.IntegerField()
    tries = serializers.IntegerField()
    priority = serializers.IntegerField()
    preemptions = serializers.IntegerField(help_text="How often a job of a higher priority took its room.")
    position = serializers.IntegerField(allow_null=True)
    host = serializers.CharField(source="placement.host.name", default=None)
    decision = serializers.UUIDField(source="placement.decision_id", default=None)

    class Meta:
        model = Job
        fields = [
            "id", "task", "args", "kwargs", "template", "demand", "labels", "policy", "tenant", "priority", "deadline",
            "tries", "backoff_s", "preemptible", "second_copy", "array", "position", "schedule", "state", "attempt",
            "failures", "losses", "preemptions", "not_before", "host", "decision", "result", "error", "waiting_for",
            "progress", "note", "used", "created_at", "dispatched_at", "started_at", "ended_at",
        ]  # fmt: skip


class Turn(serializers.Serializer):
    ahead = serializers.IntegerField(help_text="Jobs of its own tenant that go first.")
    tenants_before = serializers.ListField(
        child=serializers.CharField(), help_text="Tenants that wait and have smaller shares."
    )
    sentence = serializers.CharField()


class PreemptionShown(serializers.ModelSerializer):
    attempt = serializers.IntegerField()
    job = serializers.UUIDField(source="job_id", help_text="Which had the room.")
    by = serializers.UUIDField(
        source="by_id", allow_null=True, help_text="Which took it; null once forgotten."
    )

    class Meta:
        model = Preemption
        fields = ["job", "attempt", "by", "host", "reason", "at"]


class CopyShown(serializers.ModelSerializer):
    attempt = serializers.IntegerField()

    class Meta:
        model = SecondCopy
        fields = ["attempt", "host", "why", "outcome", "created_at", "started_at", "ended_at"]


class OneJobShown(JobShown):
    """A job, what stands before it, and whose room it took or who took its room."""

    after = serializers.SerializerMethodField(help_text="Jobs that must have succeeded before.")
    turn = serializers.SerializerMethodField(help_text="null for a job that does not wait for its turn.")
    preempted = PreemptionShown(many=True, help_text="Its attempts that left for jobs of a higher priority.")
    preempted_others = PreemptionShown(many=True, help_text="Attempts of other jobs that left for it.")
    copies = CopyShown(many=True, help_text="Second copies of attempts that took long.")

    class Meta(JobShown.Meta):
        fields = [*JobShown.Meta.fields, "after", "turn", "preempted", "preempted_others", "copies"]

    def get_after(self, job: Job) -> list[uuid.UUID]:
        return list(job.needs.values_list("needed_id", flat=True))

    @extend_schema_field(Turn(allow_null=True))
    def get_turn(self, job: Job) -> dict[str, Any] | None:
        return turn_of(job, picture.view()[0])


class LogShown(serializers.ModelSerializer):
    class Meta:
        model = JobLog
        fields = ["text"]


class Jobs(ActionView, generics.ListAPIView):
    """The jobs, newest first; POST hands one in."""

    permission_classes = [ReadOrOperate]
    queryset = Job.objects.select_related("placement__host")
    serializer_class = JobShown
    filterset_fields = ["task", "placement__host__name"]
    listing = JOBS

    @extend_schema(request=JobRequest, responses={201: JobShown})
    def post(self, request: Request) -> Response:
        asked = JobRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        key = idempotency_key(request)
        job = self.act(request, Submit(**asked.spec(), request_key=key))
        return Response(JobShown(job).data, status=201)


class ManyJobs(ActionView):
    """Hand in many jobs, all or none; they may wait for each other, whatever their order, by the ids given to them."""

    permission_classes = [Operator]

    @extend_schema(request=JobsRequest, responses={201: JobShown(many=True)})
    def post(self, request: Request) -> Response:
        asked = JobsRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        specs = [Spec(**spec_of(each)) for each in asked.validated_data["jobs"]]
        jobs = self.act(request, SubmitMany(specs, array=asked.validated_data["array"]))
        return Response(JobShown(jobs, many=True).data, status=201)


class OneJob(ActionView):
    permission_classes = [Viewer]

    @extend_schema(responses=OneJobShown)
    def get(self, request: Request, job: uuid.UUID) -> Response:
        return Response(OneJobShown(find(Job.objects.select_related("placement__host"), "job", pk=job)).data)


class CancelJob(ActionView):
    permission_classes = [Operator]

    @extend_schema(request=None, responses=JobShown)
    def post(self, request: Request, job: uuid.UUID) -> Response:
        return Response(JobShown(self.act(request, Cancel(job))).data)


class LogOfJob(ActionView):
    """The last lines that the job's body logged."""

    permission_classes = [Viewer]

    @extend_schema(responses=LogShown)
    def get(self, request: Request, job: uuid.UUID) -> Response:
        found = find(Job.objects.only("pk"), "job", pk=job)
        return Response(LogShown(JobLog.objects.filter(job=found).first() or JobLog()).data)
