"""Policies over REST: which are installed, by which loads are placed that name none, and every version of that."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from balancer_core.load import KINDS
from console.accounts.permissions import PolicyAdmin, ReadOrSetPolicies, Viewer
from console.actions import Unknown
from console.api.strict import StrictSerializer
from console.api.views import ActionView
from console.policies.actions.defaults import LONGEST_REASON, RestoreDefaultPolicy, SetDefaultPolicy
from console.policies.catalogue import installed
from console.policies.defaults import BUILT_IN
from console.policies.models import PolicyVersion


class PolicyShown(serializers.Serializer):
    name = serializers.CharField()
    version = serializers.CharField(help_text="Of its code; decisions record it.")
    summary = serializers.CharField()
    schema = serializers.JSONField(help_text="The JSON schema of its options.")


class VersionShown(serializers.ModelSerializer):
    version = serializers.IntegerField(source="number", help_text="0: as it was built.")
    restored = serializers.IntegerField(allow_null=True, help_text="The version that it went back to.")
    made_at = serializers.DateTimeField(allow_null=True)

    class Meta:
        model = PolicyVersion
        fields = ["kind", "version", "policy", "options", "restored", "made_by", "made_at", "reason"]


class _Reasoned(StrictSerializer):
    reason = serializers.CharField(max_length=LONGEST_REASON, help_text="For those who wonder later.")
    based_on = serializers.IntegerField(
        min_value=0,
        allow_null=True,
        default=None,
        help_text="The version that was looked at; where a newer one holds it is refused.",
    )


class DefaultRequest(_Reasoned):
    policy = serializers.CharField(max_length=64)
    options = serializers.DictField(default=dict, help_text="As the policy's schema says.")


class RestoreRequest(_Reasoned):
    version = serializers.IntegerField(min_value=0, help_text="0: as it was built.")


def newest(kind: str) -> PolicyVersion:
    """The version that holds; version 0 where nothing was ever changed. Raises Unknown."""
    if kind not in KINDS:
        raise Unknown("kind of load", kind)
    found = PolicyVersion.objects.filter(kind=kind).order_by("-number").first()
    return found or built_in(kind)


def built_in(kind: str) -> PolicyVersion:
    """Version 0, which is not kept."""
    return PolicyVersion(kind=kind, number=0, policy=BUILT_IN.policy, options=dict(BUILT_IN.options))


class Policies(ActionView):
    """The policies that are installed, with the schemas of their options."""

    permission_classes = [Viewer]

    @extend_schema(responses=PolicyShown(many=True))
    def get(self, request: Request) -> Response:
        return Response(PolicyShown(installed(), many=True).data)


class PolicyDefaults(ActionView):
    """By which policy each kind of load is placed that names none."""

    permission_classes = [Viewer]

    @extend_schema(responses=VersionShown(many=True))
    def get(self, request: Request) -> Response:
        return Response(VersionShown([newest(kind) for kind in KINDS], many=True).data)


class OnePolicyDefault(ActionView):
    """The default of one kind: service, job or shard. PUT makes a new version; it holds for what is placed from then
    on, and nothing that has its place is moved."""

    permission_classes = [ReadOrSetPolicies]

    @extend_schema(responses=VersionShown)
    def get(self, request: Request, kind: str) -> Response:
        return Response(VersionShown(newest(kind)).data)

    @extend_schema(request=DefaultRequest, responses=VersionShown)
    def put(self, request: Request, kind: str) -> Response:
        asked = DefaultRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response(VersionShown(self.act(request, SetDefaultPolicy(kind, **asked.validated_data))).data)


class PolicyVersions(generics.ListAPIView, ActionView):
    """Every version of one kind's default, newest first."""

    permission_classes = [Viewer]
    queryset = PolicyVersion.objects.order_by("-number")
    serializer_class = VersionShown

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(kind=self.kwargs.get("kind", ""))


class RestorePolicy(ActionView):
    """Go back to an earlier version, as a new one that says the same."""

    permission_classes = [PolicyAdmin]

    @extend_schema(request=RestoreRequest, responses=VersionShown)
    def post(self, request: Request, kind: str) -> Response:
        asked = RestoreRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        made = self.act(request, RestoreDefaultPolicy(kind, **asked.validated_data))
        return Response(VersionShown(made).data)
