"""Nodes over REST: what each engine has, took and refused, and the guard's door."""

from __future__ import annotations

from typing import Any

import msgspec
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.accounts.permissions import Admin, Viewer
from console.api.views import ActionView
from console.nodes.actions.publish import PublishByForce
from console.nodes.actions.tokens import IssueNodeToken, RevokeNodeToken
from console.traffic.view import seen


class EngineShown(serializers.Serializer):
    """One node, as the leading controller last told."""

    node = serializers.CharField()
    connected = serializers.BooleanField(help_text="It listens to the leading controller.")
    ready = serializers.BooleanField(help_text="Its Envoy has a configuration and serves.")
    version = serializers.CharField()
    uptime_s = serializers.FloatField(allow_null=True, help_text="Of its Envoy; null while none runs.")
    restarts = serializers.IntegerField(help_text="Of its Envoy, since the relay's start.")
    picker = serializers.CharField(help_text="Who chooses between endpoints.")
    picker_reason = serializers.CharField()
    services = serializers.IntegerField()
    rate_per_s = serializers.FloatField()
    desired = serializers.IntegerField(help_text="Resources that it shall have.")
    applied = serializers.IntegerField(help_text="Of these, those that it acknowledged.")
    lacks_s = serializers.FloatField(help_text="For how long it has not had all of them.")
    on_trial = serializers.BooleanField(help_text="It tries out what the others do not have yet.")
    refused = serializers.CharField(help_text="What it refuses at present, in its words.")
    last_refusal = serializers.CharField()
    acked = serializers.IntegerField()
    nacked = serializers.IntegerField()
    cache = serializers.CharField(
        help_text="What is wrong with what it keeps for a start without a controller."
    )
    report_age_s = serializers.FloatField(allow_null=True)


class HeldShown(serializers.Serializer):
    service = serializers.CharField()
    before = serializers.IntegerField()
    after = serializers.IntegerField()


class EnginesShown(serializers.Serializer):
    """age_s: since the controller said it; null before its first word."""

    count = serializers.IntegerField()
    age_s = serializers.FloatField(allow_null=True)
    epoch = serializers.IntegerField()
    guard = serializers.CharField(help_text="What is not published, and why.")
    held = HeldShown(many=True)
    results = EngineShown(many=True)


class PublishRequest(serializers.Serializer):
    force = serializers.BooleanField(help_text="Must be true: without it, all is published that may be.")
    services = serializers.ListField(
        child=serializers.CharField(max_length=63), required=False, max_length=1000,
        help_text="Only these; none named: all that the guard holds back.",
    )  # fmt: skip
    reason = serializers.CharField(required=False, allow_blank=True, max_length=500)

    def validate_force(self, force: bool) -> bool:
        if not force:
            raise serializers.ValidationError("without force, all is published already that may be")
        return force


class PublishedShown(serializers.Serializer):
    services = serializers.ListField(child=serializers.CharField())


class NodeTokenRequest(serializers.Serializer):
    node = serializers.CharField(max_length=63)


class NodeTokenShown(serializers.Serializer):
    node = serializers.CharField()
    token = serializers.CharField(help_text="Shown this once.")


class Engines(ActionView):
    """The engines' instances: desired against applied, and what they say."""

    permission_classes = [Viewer]

    @extend_schema(responses=EnginesShown)
    def get(self, request: Request) -> Response:
        now = seen()
        engines: list[dict[str, Any]] = [msgspec.structs.asdict(each) for each in now.traffic.engines]
        return Response(
            {
                "count": len(engines),
                "age_s": now.age_s,
                "epoch": now.traffic.epoch,
                "guard": now.traffic.guard,
                "held": [msgspec.structs.asdict(each) for each in now.traffic.held],
                "results": engines,
            }
        )


class Publish(ActionView):
    """Publish what the guard holds back, because it is meant."""

    permission_classes = [Admin]

    @extend_schema(request=PublishRequest, responses={202: PublishedShown})
    def post(self, request: Request) -> Response:
        asked = PublishRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        values = asked.validated_data
        action = PublishByForce(values.get("services", []), values.get("reason", ""))
        return Response({"services": self.act(request, action)}, status=202)


class NodeTokens(ActionView):
    """Make the token of a node on another machine; an earlier one of that name ends."""

    permission_classes = [Admin]

    @extend_schema(request=NodeTokenRequest, responses={201: NodeTokenShown})
    def post(self, request: Request) -> Response:
        asked = NodeTokenRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        node = asked.validated_data["node"]
        return Response({"node": node, "token": self.act(request, IssueNodeToken(node))}, status=201)


class OneNodeToken(ActionView):
    permission_classes = [Admin]

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        self.act(request, RevokeNodeToken(name))
        return Response(status=204)
