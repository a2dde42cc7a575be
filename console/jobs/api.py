"""Jobs over REST."""

from __future__ import annotations

import uuid

from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.accounts.permissions import Operator, ReadOrOperate, Viewer
from console.api.views import ActionView, find, idempotency_key
from console.jobs.actions.submit import Cancel, Submit
from console.jobs.listing import JOBS
from console.jobs.models import Job


class JobRequest(serializers.Serializer):
    task = serializers.CharField(max_length=150, help_text="The Celery task's name.")
    args = serializers.ListField(default=list)
    kwargs = serializers.DictField(default=dict)
    demand = serializers.DictField(child=serializers.FloatField())
    labels = serializers.DictField(child=serializers.CharField(max_length=100), default=dict)
    policy = serializers.CharField(
        max_length=64, allow_blank=True, default="", help_text="Left out: the default when it is placed."
    )
    dispatch = serializers.BooleanField(
        default=True, help_text="False: the application publishes the message itself."
    )


class JobShown(serializers.ModelSerializer):
    attempt = serializers.IntegerField()  # else the schema would say what the database at hand can count to
    host = serializers.CharField(source="placement.host.name", default=None)
    decision = serializers.UUIDField(source="placement.decision_id", default=None)

    class Meta:
        model = Job
        fields = [
            "id", "task", "args", "kwargs", "demand", "labels", "policy", "state", "attempt", "host", "decision",
            "result", "error", "waiting_for", "created_at", "dispatched_at", "ended_at",
        ]  # fmt: skip


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
        job = self.act(request, Submit(**asked.validated_data, request_key=key))
        return Response(JobShown(job).data, status=201)


class OneJob(ActionView):
    permission_classes = [Viewer]

    @extend_schema(responses=JobShown)
    def get(self, request: Request, job: uuid.UUID) -> Response:
        return Response(JobShown(find(Job.objects.select_related("placement__host"), "job", pk=job)).data)


class CancelJob(ActionView):
    permission_classes = [Operator]

    @extend_schema(request=None, responses=JobShown)
    def post(self, request: Request, job: uuid.UUID) -> Response:
        return Response(JobShown(self.act(request, Cancel(job))).data)
