"""What jobs wait in and go by over REST: tenants, schedules, and what tasks were seen to use."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.accounts.permissions import ReadOrOperate, ReadOrSetPolicies, Viewer
from console.actions import Invalid, Unknown
from console.api.strict import StrictSerializer
from console.api.views import ActionView, find
from console.jobs.actions.schedules import PutSchedule, RemoveSchedule
from console.jobs.actions.tenants import ForgetTenant, SetTenant
from console.jobs.models import Schedule, TaskProfile, Tenant
from console.jobs.shares_past import RANGES, USUAL, pasts
from console.jobs.standing import Standing, standings
from console.live.picture import picture

PREEMPTS = (
    "Whose preemptible jobs make room for its own of a higher priority: nobody's, its own, or also others' while it "
    "holds less than its fair part and they more than theirs."
)


class TenantShown(serializers.Serializer):
    """A tenant beside the others, whose turn it is first."""

    name = serializers.CharField()
    weight = serializers.FloatField()
    quota = serializers.DictField(
        child=serializers.FloatField(), help_text="The most its jobs hold, by resource."
    )
    bursts = serializers.BooleanField(help_text="It may hold more while nobody else waits.")
    preempts = serializers.ChoiceField(choices=Tenant.Preempts.choices, help_text=PREEMPTS)
    holds = serializers.DictField(child=serializers.FloatField())
    share = serializers.FloatField(help_text="Of its dominant resource, of the whole cluster.")
    resource = serializers.CharField(help_text="Its dominant resource; empty where it holds nothing.")
    turn = serializers.FloatField(help_text="Its share divided by its weight; the smallest goes first.")
    waiting = serializers.IntegerField()
    running = serializers.IntegerField()


class PastShown(serializers.Serializer):
    """One tenant's past, a value a stretch; null where no controller looked."""

    name = serializers.CharField()
    weight = serializers.FloatField()
    resource = serializers.CharField(help_text="Its dominant resource, the newest.")
    share = serializers.ListField(
        child=serializers.FloatField(allow_null=True),
        help_text="Of its dominant resource, the most of each stretch.",
    )
    fair = serializers.ListField(
        child=serializers.FloatField(allow_null=True),
        help_text="Its weight among the weights of all that held or wanted something.",
    )
    quota = serializers.ListField(
        child=serializers.FloatField(allow_null=True),
        help_text="The share that its quota allows; null without one of that resource.",
    )
    now = serializers.FloatField(allow_null=True)
    most = serializers.FloatField(allow_null=True)


class PastsShown(serializers.Serializer):
    range = serializers.ChoiceField(choices=list(RANGES))
    step_s = serializers.FloatField()
    at = serializers.ListField(child=serializers.DateTimeField(), help_text="When each stretch begins.")
    tenants = PastShown(many=True)


class TenantRequest(StrictSerializer):
    weight = serializers.FloatField(default=1.0)
    quota = serializers.DictField(child=serializers.FloatField(), default=dict)
    bursts = serializers.BooleanField(default=False)
    preempts = serializers.ChoiceField(
        choices=Tenant.Preempts.choices, default=Tenant.Preempts.OWN, help_text=PREEMPTS
    )
    reason = serializers.CharField(max_length=500, default="", allow_blank=True)


class ScheduleShown(serializers.ModelSerializer):
    class Meta:
        model = Schedule
        fields = [
            "name", "cron", "request", "paused", "overlaps", "catches_up", "next_at", "last_at", "last_job",
        ]  # fmt: skip


class ScheduleRequest(StrictSerializer):
    cron = serializers.CharField(max_length=100, help_text="Minute, hour, day, month, weekday; in UTC.")
    request = serializers.DictField(help_text="The job, as POST /api/v1/jobs/ takes it.")
    paused = serializers.BooleanField(default=False)
    overlaps = serializers.BooleanField(default=False, help_text="Also while the last one has not ended.")
    catches_up = serializers.BooleanField(
        default=True, help_text="Make up, once, for runs that were missed while nobody looked."
    )
    reason = serializers.CharField(max_length=500, default="", allow_blank=True)


class ProfileShown(serializers.ModelSerializer):
    runs = serializers.IntegerField(help_text="That were looked at, the newest.")
    late_s = serializers.FloatField(help_text="Seconds that 19 of 20 runs took less than.")

    class Meta:
        model = TaskProfile
        fields = ["task", "demand", "runs", "seconds", "late_s", "learned_at"]


class Tenants(ActionView):
    """Who shares the cluster: everybody with jobs, a weight or a quota, whose turn it is first."""

    permission_classes = [Viewer]

    @extend_schema(responses=TenantShown(many=True))
    def get(self, request: Request) -> Response:
        return Response(TenantShown(standings(picture.view()[0]), many=True).data)


class OneTenant(ActionView):
    permission_classes = [ReadOrSetPolicies]

    @extend_schema(responses=TenantShown)
    def get(self, request: Request, name: str) -> Response:
        return Response(TenantShown(_standing(name)).data)

    @extend_schema(request=TenantRequest, responses=TenantShown)
    def put(self, request: Request, name: str) -> Response:
        asked = TenantRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        self.act(request, SetTenant(name, **asked.validated_data))
        return Response(TenantShown(_standing(name)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        self.act(request, ForgetTenant(name))
        return Response(status=204)


class TenantShares(ActionView):
    """Each tenant's dominant share over the last hour or day, beside its fair part and its quota."""

    permission_classes = [Viewer]

    @extend_schema(
        parameters=[OpenApiParameter("range", str, enum=list(RANGES), default=USUAL)], responses=PastsShown
    )
    def get(self, request: Request) -> Response:
        name = request.query_params.get("range", USUAL)
        if name not in RANGES:
            raise Invalid("range", "unknown", f"one of {', '.join(RANGES)}")
        return Response(PastsShown(pasts(name, timezone.now())).data)


class Schedules(ActionView):
    """Jobs that are handed in again and again."""

    permission_classes = [Viewer]

    @extend_schema(responses=ScheduleShown(many=True))
    def get(self, request: Request) -> Response:
        return Response(ScheduleShown(Schedule.objects.all(), many=True).data)


class OneSchedule(ActionView):
    permission_classes = [ReadOrOperate]

    @extend_schema(responses=ScheduleShown)
    def get(self, request: Request, name: str) -> Response:
        return Response(ScheduleShown(find(Schedule.objects.all(), "schedule", pk=name)).data)

    @extend_schema(request=ScheduleRequest, responses=ScheduleShown)
    def put(self, request: Request, name: str) -> Response:
        asked = ScheduleRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response(ScheduleShown(self.act(request, PutSchedule(name, **asked.validated_data))).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        self.act(request, RemoveSchedule(name))
        return Response(status=204)


class TaskProfiles(ActionView):
    """What each task's runs were seen to use; the next one is given it where nobody says what it needs."""

    permission_classes = [Viewer]

    @extend_schema(responses=ProfileShown(many=True))
    def get(self, request: Request) -> Response:
        return Response(ProfileShown(TaskProfile.objects.all(), many=True).data)


def _standing(name: str) -> Standing:
    for each in standings(picture.view()[0]):
        if each.name == name:
            return each
    raise Unknown("tenant", name)
