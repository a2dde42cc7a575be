"""Alerts, silences, rules and channels over REST."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.accounts.permissions import Admin, OperateOrAdminister, Operator, ReadOrOperate, Viewer
from console.actions import Unknown
from console.alerts.actions.channels import PutChannel, RemoveChannel, TryChannel
from console.alerts.actions.handling import Acknowledge, ChangeRule, EndSilence, SilenceAlerts
from console.alerts.limits import limits_of
from console.alerts.listing import ALERTS
from console.alerts.models import Alert, Channel, RuleSettings, Silence
from console.alerts.rules import RULES, SEVERITIES, WARNING
from console.api.strict import StrictSerializer
from console.api.views import ActionView, find


class AlertShown(serializers.ModelSerializer):
    class Meta:
        model = Alert
        fields = [
            "id", "rule", "severity", "subject_kind", "subject", "domain", "state", "value", "sentence", "since",
            "fired_at", "resolved_at", "acknowledged_by", "acknowledged_at", "decision",
        ]  # fmt: skip


class AlertReason(StrictSerializer):
    reason = serializers.CharField(max_length=500, default="", allow_blank=True)


class Alerts(generics.ListAPIView):
    """What is pending, firing or over, newest first."""

    permission_classes = [Viewer]
    queryset = Alert.objects.all()
    serializer_class = AlertShown
    filterset_fields = ["subject_kind", "subject", "domain"]
    listing = ALERTS


class OneAlert(ActionView):
    permission_classes = [Viewer]

    @extend_schema(responses=AlertShown)
    def get(self, request: Request, alert: int) -> Response:
        return Response(AlertShown(find(Alert.objects.all(), "alert", pk=alert)).data)


class AcknowledgeAlert(ActionView):
    permission_classes = [Operator]

    @extend_schema(request=AlertReason, responses=AlertShown)
    def post(self, request: Request, alert: int) -> Response:
        asked = AlertReason(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response(AlertShown(self.act(request, Acknowledge(alert, **asked.validated_data))).data)


class RuleShown(serializers.Serializer):
    """A rule with the numbers that hold now."""

    name = serializers.CharField()
    title = serializers.CharField()
    about = serializers.CharField()
    subject_kind = serializers.CharField()
    level = serializers.CharField()
    unit = serializers.CharField()
    is_on = serializers.BooleanField()
    is_below = serializers.BooleanField(help_text="It holds at and below its threshold.")
    threshold = serializers.FloatField()
    raise_after_s = serializers.FloatField()
    clear_after_s = serializers.FloatField()
    more = serializers.IntegerField(help_text="Subjects beyond those that are kept as alerts.")


class RuleChange(StrictSerializer):
    """null: as it was built."""

    is_on = serializers.BooleanField(default=True)
    threshold = serializers.FloatField(default=None, allow_null=True)
    raise_after_s = serializers.FloatField(default=None, allow_null=True)
    clear_after_s = serializers.FloatField(default=None, allow_null=True)
    reason = serializers.CharField(max_length=500, default="", allow_blank=True)


def rules_shown() -> list[dict[str, Any]]:
    """All rules, in the order of the registry."""
    changed = {each.rule: each for each in RuleSettings.objects.all()}
    shown = []
    for name, rule in RULES.items():
        settings = changed.get(name)
        limits = limits_of(rule, settings)
        shown.append(
            {
                "name": name,
                "title": rule.TITLE,
                "about": " ".join((rule.__doc__ or "").split()),
                "subject_kind": rule.SUBJECT,
                "level": rule.SEVERITY,
                "unit": rule.UNIT,
                "is_on": settings is None or settings.is_on,
                "is_below": rule.IS_BELOW,
                "threshold": limits.threshold,
                "raise_after_s": limits.raise_after_s,
                "clear_after_s": limits.clear_after_s,
                "more": 0 if settings is None else settings.more,
            }
        )
    return shown


def _rule_shown(name: str) -> dict[str, Any]:
    return next(each for each in rules_shown() if each["name"] == name)


class Rules(ActionView):
    """The built-in rules."""

    permission_classes = [Viewer]

    @extend_schema(responses=RuleShown(many=True))
    def get(self, request: Request) -> Response:
        return Response(RuleShown(rules_shown(), many=True).data)


class OneRule(ActionView):
    permission_classes = [ReadOrOperate]

    @extend_schema(responses=RuleShown)
    def get(self, request: Request, name: str) -> Response:
        if name not in RULES:
            raise Unknown("rule", name)
        return Response(RuleShown(_rule_shown(name)).data)

    @extend_schema(request=RuleChange, responses=RuleShown)
    def put(self, request: Request, name: str) -> Response:
        asked = RuleChange(data=request.data)
        asked.is_valid(raise_exception=True)
        self.act(request, ChangeRule(name, **asked.validated_data))
        return Response(RuleShown(_rule_shown(name)).data)


class SilenceShown(serializers.ModelSerializer):
    class Meta:
        model = Silence
        fields = [
            "id",
            "rule",
            "subject",
            "domain",
            "until",
            "reason",
            "created_by",
            "created_at",
            "ended_at",
        ]


class SilenceRequest(StrictSerializer):
    """Shell patterns; an empty one matches all."""

    rule = serializers.CharField(max_length=48, default="", allow_blank=True)
    subject = serializers.CharField(max_length=200, default="", allow_blank=True)
    domain = serializers.CharField(max_length=150, default="", allow_blank=True)
    until = serializers.DateTimeField()
    reason = serializers.CharField(max_length=500)


class Silences(generics.ListAPIView, ActionView):
    """Silences, newest first; make one."""

    permission_classes = [ReadOrOperate]
    queryset = Silence.objects.all()
    serializer_class = SilenceShown

    @extend_schema(request=SilenceRequest, responses={201: SilenceShown})
    def post(self, request: Request) -> Response:
        asked = SilenceRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        made = self.act(request, SilenceAlerts(**asked.validated_data))
        return Response(SilenceShown(made).data, status=201)


class EndOneSilence(ActionView):
    permission_classes = [Operator]

    @extend_schema(request=AlertReason, responses=SilenceShown)
    def post(self, request: Request, silence: int) -> Response:
        asked = AlertReason(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response(SilenceShown(self.act(request, EndSilence(silence, **asked.validated_data))).data)


class ChannelShown(serializers.ModelSerializer):
    class Meta:
        model = Channel
        fields = ["name", "kind", "place", "least_severity", "is_on", "created_at"]


class ChannelRequest(StrictSerializer):
    name = serializers.CharField(max_length=63)
    kind = serializers.ChoiceField(Channel.Kind.choices)
    address = serializers.CharField(max_length=2000, help_text="Sealed; never shown again.")
    secret = serializers.CharField(
        max_length=500,
        default="",
        allow_blank=True,
        help_text="Signs a webhook; Alertmanager's bearer token.",
    )
    least_severity = serializers.ChoiceField(SEVERITIES, default=WARNING)


class DeliveryOwed(serializers.Serializer):
    id = serializers.IntegerField()
    channel = serializers.CharField(source="channel.name")
    delivery = serializers.CharField(source="state", help_text="owed, sent or failed.")


class Channels(ActionView):
    """The channels without their addresses, for who may try them; put one there, or change it."""

    permission_classes = [OperateOrAdminister]

    @extend_schema(responses=ChannelShown(many=True))
    def get(self, request: Request) -> Response:
        return Response(ChannelShown(Channel.objects.all(), many=True).data)

    @extend_schema(request=ChannelRequest, responses={201: ChannelShown})
    def post(self, request: Request) -> Response:
        asked = ChannelRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        made = self.act(request, PutChannel(**asked.validated_data))
        return Response(ChannelShown(made).data, status=201)


class OneChannel(ActionView):
    permission_classes = [Admin]

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        self.act(request, RemoveChannel(name))
        return Response(status=204)


class ChannelTest(ActionView):
    permission_classes = [Operator]

    @extend_schema(request=None, responses={202: DeliveryOwed})
    def post(self, request: Request, name: str) -> Response:
        return Response(DeliveryOwed(self.act(request, TryChannel(name))).data, status=202)
